package metrics_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/internal/metrics"
	"github.com/strongroom-kms/strongroom/keystore"
)

func TestKeysAndCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		figures := keystore.KeyFigures{States: map[string]int{"Enabled": 12, "PendingDeletion": 1}, Invocations: 0.5, Deletion: time.Now().Add(72 * time.Hour)}
		asked := 0
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(metrics.NewKeys(
			func() keystore.KeyFigures { asked++; return figures },
			func() []metrics.Certificate {
				return []metrics.Certificate{
					{"server", time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}, {"client_ca", time.Now().Add(-3 * time.Hour), time.Now().Add(-time.Hour)},
				}
			}))
		text := textOf(t, registry)
		expectLines(t, text,
			`strongroom_keys{state="Enabled"} 12`, `strongroom_keys{state="PendingDeletion"} 1`,
			`strongroom_key_gcm_invocations_ratio_max 0.5`,
			`strongroom_keys_pending_deletion_seconds_min `+number(72*3600),
			`strongroom_certificate_expiry_seconds{use="server"} `+number(3600),
			`strongroom_certificate_expiry_seconds{use="client_ca"} `+number(-3600),
			`strongroom_certificate_lifetime_seconds{use="client_ca"} `+number(7200),
		)
		if strings.Contains(text, "key_material_expiry") {
			t.Error("material expires that does not")
		}
		// Time goes on between two looks at the keys.
		figures.Expiry = time.Now().Add(time.Hour)
		time.Sleep(time.Second / 2)
		expectLines(t, textOf(t, registry), `strongroom_keys_pending_deletion_seconds_min `+number(72*3600-0.5))
		if asked != 1 {
			t.Errorf("the keys were looked at %d times", asked)
		}
		time.Sleep(time.Second / 2)
		expectLines(t, textOf(t, registry), `strongroom_key_material_expiry_seconds_min `+number(3600-1))
	})
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
