package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/strongroom-kms/strongroom/keystore"
)

// How long what takes a while to find out is not asked for again.
const (
	keysFresh         = time.Second
	certificatesFresh = time.Minute
)

// Certificate is the first certificate of a kind to expire.
type Certificate struct {
	// Use says what it is for: "server", "client_ca" or "trust_anchor".
	Use string
	// It is good from NotBefore until NotAfter.
	NotBefore, NotAfter time.Time
}

// keys collects the metrics of keys and certificates.
type keys struct {
	figures      *recent[keystore.KeyFigures]
	certificates *recent[[]Certificate]

	count, invocations, expiry, deletion *prometheus.Desc
	certificate, lifetime                *prometheus.Desc
}

// NewKeys returns a collector of the metrics of keys and of certificates. The sources are
// asked at scrapes, but not more often than each second, and each minute.
func NewKeys(figures func() keystore.KeyFigures, certificates func() []Certificate) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("strongroom_"+name, help, labels, nil)
	}
	return &keys{
		figures:      &recent[keystore.KeyFigures]{ask: figures, fresh: keysFresh},
		certificates: &recent[[]Certificate]{ask: certificates, fresh: certificatesFresh},

		count:       desc("keys", "KMS keys, by state.", "state"),
		invocations: desc("key_gcm_invocations_ratio_max", "Highest share of its 2^32 AES-GCM invocations that the current material of a key has used up, with what is reserved ahead."),
		expiry:      desc("key_material_expiry_seconds_min", "Time until imported key material expires next; absent if none does."),
		deletion:    desc("keys_pending_deletion_seconds_min", "Time until a key is deleted next; absent if none is to be."),
		certificate: desc("certificate_expiry_seconds", "Time until the first certificate of a use expires; negative once it has.", "use"),
		lifetime:    desc("certificate_lifetime_seconds", "For how long that certificate is good altogether.", "use"),
	}
}

// Describe implements prometheus.Collector.
func (k *keys) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{k.count, k.invocations, k.expiry, k.deletion, k.certificate, k.lifetime} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (k *keys) Collect(metrics chan<- prometheus.Metric) {
	now := time.Now()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	until := func(desc *prometheus.Desc, at time.Time, labels ...string) {
		if !at.IsZero() {
			gauge(desc, at.Sub(now).Seconds(), labels...)
		}
	}
	f := k.figures.at(now)
	for state, n := range f.States {
		gauge(k.count, float64(n), state)
	}
	gauge(k.invocations, f.Invocations)
	until(k.expiry, f.Expiry)
	until(k.deletion, f.Deletion)
	for _, c := range k.certificates.at(now) {
		until(k.certificate, c.NotAfter, c.Use)
		gauge(k.lifetime, c.NotAfter.Sub(c.NotBefore).Seconds(), c.Use)
	}
}
