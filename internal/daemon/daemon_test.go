package daemon

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/internal/config"
)

func TestPartsAreClosedInReverseAndAllOfThem(t *testing.T) {
	var parts closers
	var closed []string
	failure := errors.New("busy")
	for _, name := range []string{"journal", "HSM", "key store"} {
		parts.add(name, func(ctx context.Context) error {
			closed = append(closed, name)
			if _, ok := ctx.Deadline(); !ok || ctx.Err() != nil {
				t.Errorf("%s is closed without a deadline of its own: %v", name, ctx.Err())
			}
			if name == "HSM" {
				return failure
			}
			return nil
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := parts.close(ended)
	if !errors.Is(err, failure) || !strings.Contains(err.Error(), "closing the HSM: busy") {
		t.Errorf("got %v", err)
	}
	if want := []string{"key store", "HSM", "journal"}; !slices.Equal(closed, want) {
		t.Errorf("closed %v, want %v", closed, want)
	}
}

func TestEnvironment(t *testing.T) {
	got := Environment(map[string]string{"B": "2", "A": "1=1"})
	if want := []string{"A=1=1", "B=2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFilesWithSecretsThatOthersMayReadAreTold(t *testing.T) {
	dir := t.TempDir()
	pin, headers, shut := filepath.Join(dir, "pin"), filepath.Join(dir, "headers"), filepath.Join(dir, "key.pem")
	for path, mode := range map[string]os.FileMode{pin: 0o640, headers: 0o604, shut: 0o400} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	c := new(config.Config)
	c.HSM.PIN.File, c.OpenTelemetry.HeadersFile, c.TLS.Key = pin, headers, shut
	d := &daemon{config: c, logger: hclog.New(&hclog.LoggerOptions{Output: &log})}
	if err := d.warnOfOpenFiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, pin) || !strings.Contains(got, headers) || strings.Contains(got, shut) {
		t.Errorf("the log says %q", got)
	}
}
