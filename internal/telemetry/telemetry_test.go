package telemetry_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hsmID = "hsm-aaaaaaaaaaa"

// hsms are an HSM, and note what is done to it.
type hsms struct {
	mu     sync.Mutex
	reason string // why it is withdrawn; empty: it is not
	done   []string
}

func (h *hsms) Withdraw(id, reason string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reason != reason { // else nothing changes
		h.reason, h.done = reason, append(h.done, "withdraw "+id+": "+reason)
	}
	return nil
}

func (h *hsms) Restore(id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reason, h.done = "", append(h.done, "restore "+id)
	return nil
}

// connectAnew puts the HSM into service, as a custom key store does that is connected.
func (h *hsms) connectAnew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reason = ""
}

// taken returns what was done since it was asked before.
func (h *hsms) taken() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	done := h.done
	h.done = nil
	return done
}

// log is a log that may be read while it is written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func start(t *testing.T, s telemetry.Source, on telemetry.HSMs) (*telemetry.Telemetry, *log) {
	t.Helper()
	s.HSMID = hsmID
	lines := new(log)
	all, err := telemetry.Start([]telemetry.Source{s}, on, hclog.New(&hclog.LoggerOptions{Output: lines}))
	if err != nil {
		t.Fatal(err)
	}
	return all, lines
}

// answered waits for the first answer of a source, or its failure.
func answered(t *testing.T, all *telemetry.Telemetry) map[string]float64 {
	t.Helper()
	poll, patience := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer poll.Stop()
	for {
		if v := all.Values(hsmID); v != nil || *all.Errors(hsmID) > 0 {
			return v
		}
		select {
		case <-poll.C:
		case <-patience:
			t.Fatal("the source is not asked")
		}
	}
}

// script is a command that does this.
func script(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "telemetry.sh")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"/bin/sh", path}
}

// url is of a server that does this.
func url(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func says(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "telemetry.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Values come from a command, a URL and a file alike; what is wrong with a source is told.
func TestSources(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SERVER", "hidden")
	const good = `{"HsmTemperature": 41.5, "HsmUsersMax": 1024}`
	values := map[string]float64{"HsmTemperature": 41.5, "HsmUsersMax": 1024}
	long := strings.Repeat(" ", 70_000)
	tests := map[string]struct {
		source telemetry.Source
		values map[string]float64
		errors uint64
		words  string // of the log
	}{
		"command":             {telemetry.Source{Command: script(t, `echo '`+good+`'`)}, values, 0, ""},
		"URL":                 {telemetry.Source{URL: url(t, says(200, good))}, values, 0, ""},
		"file":                {telemetry.Source{File: file(t, good)}, values, 0, ""},
		"the command's world": {telemetry.Source{Command: script(t, `test "$STRONGROOM_HSM_ID" = hsm-aaaaaaaaaaa && test -z "$SECRET_OF_THE_SERVER" && test -n "$PATH" && echo '`+good+`'`)}, values, 0, ""},
		"command that fails":  {telemetry.Source{Command: script(t, "echo no route to the HSM >&2; echo more >&2; exit 3")}, nil, 1, `exit status 3: \"no route to the HSM\"`},
		"no command":          {telemetry.Source{Command: []string{"/nowhere/telemetry"}}, nil, 1, "/nowhere/telemetry: no such file"},
		"command that hangs":  {telemetry.Source{Command: script(t, "sleep 1000 & sleep 1000"), Timeout: 50 * time.Millisecond}, nil, 1, "takes longer than 50ms"},
		"talkative command":   {telemetry.Source{Command: script(t, "yes")}, nil, 1, "takes longer than"},
		"long command":        {telemetry.Source{Command: script(t, "head -c 70000 /dev/zero")}, nil, 1, "more than 65536 bytes"},
		"URL that fails":      {telemetry.Source{URL: url(t, says(503, good))}, nil, 1, "503 Service Unavailable"},
		"URL that redirects":  {telemetry.Source{URL: url(t, http.RedirectHandler("/other", http.StatusFound).ServeHTTP)}, nil, 1, "302 Found"},
		"long URL":            {telemetry.Source{URL: url(t, says(200, good+long))}, nil, 1, "more than 65536 bytes"},
		"no server":           {telemetry.Source{URL: "http://127.0.0.1:1/"}, nil, 1, "connection refused"},
		"long file":           {telemetry.Source{File: file(t, good+long)}, nil, 1, "more than 65536 bytes"},
		"no file":             {telemetry.Source{File: "/nowhere/telemetry.json"}, nil, 1, "/nowhere/telemetry.json: no such file"},
		"directory":           {telemetry.Source{File: t.TempDir()}, nil, 1, "is not a file"},
		"no JSON":             {telemetry.Source{File: file(t, "41.5 degrees")}, nil, 1, "not a JSON object"},
		"no object":           {telemetry.Source{File: file(t, "[41.5]")}, nil, 1, "not a JSON object"},
		"null":                {telemetry.Source{File: file(t, "null")}, nil, 1, "not a JSON object"},
		"not a number":        {telemetry.Source{File: file(t, `{"HsmTemperature": NaN}`)}, nil, 1, "not a JSON object"},
		"some that are wrong": {telemetry.Source{File: file(t, `{"HsmHumidity": 3, "HsmTemperature": 41.5, "HsmUsersMax": 1024, "HsmSessionCount": -1, "HsmKeysTokenOccupied": "NaN", "HsmUnhealthy": null}`)}, values, 4,
			`\"HsmHumidity\": there is no such metric of CloudHSM; \"HsmKeysTokenOccupied\": it is not a number; \"HsmSessionCount\": -1 is not a whole number from 0 to 2^53; \"HsmUnhealthy\": it is not a number`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.source.Timeout == 0 {
				tc.source.Timeout = time.Second
			}
			all, lines := start(t, tc.source, new(hsms))
			got := answered(t, all)
			all.Close()
			if diff := cmp.Diff(tc.values, got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			if n := *all.Errors(hsmID); n != tc.errors {
				t.Errorf("%d errors, want %d", n, tc.errors)
			}
			if !strings.Contains(lines.String(), tc.words) || (tc.words == "") != (lines.String() == "") {
				t.Errorf("the log does not say %q:\n%s", tc.words, lines)
			}
		})
	}
}

// What a command leaves running ends when it does: it would be there once more each period.
func TestACommandLeavesNothingRunning(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { // for as long as somebody has the pipe open
		_, err := os.ReadFile(pipe)
		ended <- err
	}()
	all, lines := start(t, telemetry.Source{Command: script(t, `exec 3>`+pipe+`; sleep 60 >/dev/null 2>&1 & echo '{"HsmTemperature": 41.5}'`)}, new(hsms))
	if got := answered(t, all)["HsmTemperature"]; got != 41.5 {
		t.Errorf("the temperature is %v:\n%s", got, lines)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("what the command has started goes on")
	}
	all.Close()
}

// A source that says thousands of wrong things has them counted, and does not fill the log.
func TestManyFaultsAreOneShortLine(t *testing.T) {
	var text strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&text, `"wrong-%d": 1, `, i)
	}
	all, lines := start(t, telemetry.Source{File: file(t, "{"+text.String()+`"HsmTemperature": 41.5}`)}, new(hsms))
	answered(t, all)
	all.Close()
	if n := *all.Errors(hsmID); n != 3000 {
		t.Errorf("%d errors", n)
	}
	if n := len(lines.String()); n == 0 || n > 2500 {
		t.Errorf("%d bytes of log", n)
	}
}

// Values of more than three periods ago are nobody's, and an HSM that was too hot stays out of
// service.
func TestASourceThatFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, on := written{t, filepath.Join(t.TempDir(), "t.json")}, new(hsms)
		w.reads(111)
		all, lines := start(t, telemetry.Source{File: w.path, Every: 10 * time.Second}, on)
		defer all.Close()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := all.Values(hsmID)["HsmTemperature"]; got != 111 {
			t.Errorf("after three periods: %v", got)
		}
		time.Sleep(time.Second)
		if got := all.Values(hsmID); got != nil {
			t.Errorf("after more than three periods: %v", got)
		}
		on.taken()
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if got := on.taken(); got != nil {
			t.Errorf("a source that says nothing has had done %q", got)
		}
		if n := strings.Count(lines.String(), "was not written for longer than 30s"); n != 1 || *all.Errors(hsmID) != 3 {
			t.Errorf("%d lines and %d errors tell of three silent periods:\n%s", n, *all.Errors(hsmID), lines)
		}
		w.reads(20)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := on.taken(); len(got) != 1 || got[0] != "restore "+hsmID || !strings.Contains(lines.String(), "is good again") {
			t.Errorf("when it speaks again: %q\n%s", got, lines)
		}
	})
}

// A file of a time to come, of before the clock was set back, would never be too old.
func TestAFileOfATimeToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := written{t, filepath.Join(t.TempDir(), "t.json")}
		w.reads(41)
		if err := os.Chtimes(w.path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		all, lines := start(t, telemetry.Source{File: w.path}, new(hsms))
		synctest.Wait()
		all.Close()
		if got := all.Values(hsmID); got != nil || !strings.Contains(lines.String(), "time to come") {
			t.Errorf("it says %v:\n%s", got, lines)
		}
	})
}

func TestSourcesThatAreRefused(t *testing.T) {
	for words, sources := range map[string][]telemetry.Source{
		"two sources":   {{HSMID: hsmID, File: "/a"}, {HSMID: hsmID, File: "/b"}},
		"exactly one":   {{HSMID: hsmID}},
		"exactly one o": {{HSMID: hsmID, File: "/a", URL: "http://b"}},
	} {
		if _, err := telemetry.Start(sources, new(hsms), hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: %v", sources, err)
		}
	}
}

func TestAnHSMWithoutASource(t *testing.T) {
	all, err := telemetry.Start(nil, new(hsms), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if all.Values(hsmID) != nil || all.Errors(hsmID) != nil {
		t.Error("something is known of an HSM without a source")
	}
}
