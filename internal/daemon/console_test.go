package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/internal/devserver"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// TestConsole signs in to the console of a real server, reads its pages, and finds the
// requests that they made in the trail. The page's stream ends with the server.
func TestConsole(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var stream *http.Response
	err := devserver.Run(ctx, devserver.Options{
		DataDir: t.TempDir(), Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0",
		WorkerEnv: map[string]string{"GORACE": "atexit_sleep_ms=0"}, Logger: hclog.NewNullLogger(),
		Serving: func(ctx context.Context, site *devserver.Site) error {
			defer stop()
			admin, hangUp, err := dial(site, "admin")
			if err != nil {
				return err
			}
			defer hangUp()
			b, err := signIn(ctx, admin)
			if err != nil {
				return err
			}
			created, err := admin.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{Description: new("of the test")})
			if err != nil {
				return err
			}
			id := created.GetKeyMetadata().GetKeyId()
			for path, want := range map[string]string{"/": "1 of 1", "/keys": id, "/keys/" + id: "of the test", "/hsms": "READY", "/events?name=CreateKey": id[:8], "/alarms": "JournalUnavailable"} {
				if page := b.get(t, ctx, path); !strings.Contains(page, want) {
					t.Errorf("%s has no %q:\n%s", path, want, page)
				}
			}
			checkTheEvents(t, ctx, admin)
			stream = b.open(t, path(site, "/streams/metrics")) //nolint:bodyclose // closed below
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(stream.Body)
	if err := errors.Join(err, stream.Body.Close()); err != nil || !strings.Contains(string(rest), "The server is shutting down.") {
		t.Errorf("the stream ended with %v:\n%s", err, rest)
	}
}

func dial(site *devserver.Site, principal string) (*client.Client, func(), error) {
	connection, err := site.Connection(principal)
	if err != nil {
		return nil, nil, err
	}
	c, err := client.Dial(site.Address, connection)
	return c, func() { _ = c.Close() }, err // all calls are over
}

func path(site *devserver.Site, path string) string { return site.ConsoleURL + path }

// browser is somebody who is signed in.
type browser struct {
	http.Client

	base string
}

// signIn signs in by a link.
func signIn(ctx context.Context, c *client.Client) (*browser, error) {
	link, err := c.Operator.CreateConsoleLink(ctx, &operatorv1.CreateConsoleLinkRequest{})
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(link.GetUrl())
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	b := &browser{Client: http.Client{Jar: jar, Transport: &http.Transport{}}, base: u.Scheme + "://" + u.Host}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+"/sign-in", strings.NewReader(u.RawQuery))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := b.Do(r)
	if err != nil {
		return nil, err
	}
	return b, res.Body.Close()
}

func (b *browser) get(t *testing.T, ctx context.Context, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%s: %s, %v", path, res.Status, err)
	}
	return string(page)
}

// open opens a stream, up to its first sample.
func (b *browser) open(t *testing.T, address string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewReader(res.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "event: sample\n" {
			return res
		}
	}
}

// checkTheEvents looks for what the pages have asked for.
func checkTheEvents(t *testing.T, ctx context.Context, c *client.Client) {
	t.Helper()
	found, err := c.Operator.SearchEvents(ctx, &operatorv1.SearchEventsRequest{
		Selector: &operatorv1.EventSelector{EventName: new("GetKeyPolicy"), Principal: new("admin")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.GetEvents()) != 1 || !strings.Contains(found.GetEvents()[0].GetEventJson(), `"credentialId":"console:`) {
		t.Errorf("the page of the key has left %v", found)
	}
}
