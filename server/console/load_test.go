package console

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/server"
)

// broken panics at each request.
type broken struct{}

func (broken) Invoke(context.Context, server.Request) *keystore.Error { panic("a secret") }

func (broken) Follow(context.Context, server.StreamRequest) *keystore.Error { panic("a secret") }

// What panics on the way to a page costs the page, and not the process.
func TestAPanicCostsThePageOnly(t *testing.T) {
	for _, path := range []string{"/", "/hsms", "/keys", "/requests/1"} {
		f, log := newFixture(t).signIn(), new(bytes.Buffer)
		f.console.operations, f.console.log = broken{}, hclog.New(&hclog.LoggerOptions{Output: log})
		if w := f.get(path, nil); w.Code != http.StatusInternalServerError {
			t.Errorf("%s is answered %d %s", path, w.Code, text(w))
		}
		if got := log.String(); !strings.Contains(got, "an operation panicked") || !strings.Contains(got, "broken.") || strings.Contains(got, "a secret") {
			t.Errorf("the log of %s:\n%s", path, got)
		}
	}
}
