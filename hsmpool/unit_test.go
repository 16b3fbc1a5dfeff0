package hsmpool

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
)

// full is an Auditor that takes nothing.
type full struct{}

var errFull = errors.New("disk full")

func (full) Boot(string) (uint32, error)                { return 0, errFull }
func (full) QueueHSM(string, ...audit.HSMCommand) error { return errFull }
func (full) FlushHSM(context.Context) error             { return nil }

// TestRefusedEntryIsNotForgotten has an Auditor refuse what it is given: nothing is
// durable from then on, whatever it says.
func TestRefusedEntryIsNotForgotten(t *testing.T) {
	for what, do := range map[string]func(*callLog){
		"a start": func(l *callLog) { l.identify(identity{hsmID: "hsm"}) },
		"a call":  func(l *callLog) { l.record(audit.HSMCommand{Function: "C_Login"}); l.name() },
	} {
		l := &callLog{auditor: full{}, log: hclog.NewNullLogger()}
		if err := l.flush(t.Context()); err != nil {
			t.Errorf("flush of nothing: %v", err)
		}
		do(l)
		var e *recordError
		if err := l.flush(t.Context()); !errors.As(err, &e) || !errors.Is(err, errFull) {
			t.Errorf("%s was refused: %v", what, err)
		}
	}
}

// TestCallIsAnsweredOnce has a reply and the end of the caller's patience compete.
func TestCallIsAnsweredOnce(t *testing.T) {
	answered := newCall(false)
	answered.deliver(outcome{err: errLost})
	answered.deliver(outcome{err: errBusy})
	if answered.abandon() {
		t.Error("an answered call was abandoned")
	}
	if o := <-answered.done; !errors.Is(o.err, errLost) {
		t.Errorf("the first answer was %v", o.err)
	}
	abandoned := newCall(false)
	if !abandoned.abandon() {
		t.Error("a waiting call could not be abandoned")
	}
	abandoned.deliver(outcome{err: errLost})
	if len(abandoned.done) != 0 {
		t.Error("an abandoned call was answered")
	}
}

func TestLogJoiner(t *testing.T) {
	var out bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug, DisableTime: true})
	j := newLogJoiner(log)
	for _, part := range []string{
		`{"@level":"info","@message":"one","@timestamp":"x","b":1,"a":"two words"}` + "\n",
		`{"@level":"trace","@message":"below the level"}` + "\n" + `{"@level":"warn",`, `"@message":"in two parts"}` + "\n",
		"printed by a library \xff\n\n",
		strings.Repeat("x", 2*maxLogLine) + "\n",
	} {
		if n, err := j.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	}
	want := "[INFO]  one: a=\"two words\" b=1\n[WARN]  in two parts\n[DEBUG] worker printed: line=\"printed by a library ?\"\n" +
		"[DEBUG] worker printed: line=" + strings.Repeat("x", maxLogLine) + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestWorkerEnv(t *testing.T) {
	t.Setenv("PATH", "/bin")
	t.Setenv("PIN_HERE", "secret")
	t.Setenv("UNRELATED", "x")
	for _, test := range []struct {
		name  string
		env   []string
		names []string
		want  []string
	}{
		{"nothing given", nil, nil, []string{"PATH=/bin"}},
		{"a PATH given", []string{"PATH=/opt"}, nil, []string{"PATH=/opt"}},
		{"a variable handed on", []string{"A=b"}, []string{"PIN_HERE"}, []string{"A=b", "PIN_HERE=secret", "PATH=/bin"}},
		{"that variable given", []string{"PIN_HERE=own"}, []string{"PIN_HERE"}, []string{"PIN_HERE=own", "PATH=/bin"}},
		{"a variable that nobody has", nil, []string{"NOBODY"}, []string{"PATH=/bin"}},
	} {
		if diff := cmp.Diff(test.want, workerEnv(test.env, test.names...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	good := Config{
		Library: "/lib.so", Token: TokenSelector{Label: "l"}, PIN: PINSource{File: "f"}, Profile: "softhsm", Auditor: full{},
	}
	for _, test := range []struct {
		says string
		edit func(*Config)
	}{
		{"library", func(c *Config) { c.Library = "" }},
		{"token", func(c *Config) { c.Token = TokenSelector{} }},
		{`unknown profile "luna"`, func(c *Config) { c.Profile = "luna" }},
		{"auditor", func(c *Config) { c.Auditor = nil }},
		{"negative", func(c *Config) { c.HangTimeout = -1 }},
	} {
		config := good
		test.edit(&config)
		if _, err := config.withDefaults(); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("got %v, want an error that says %q", err, test.says)
		}
	}
	for _, pin := range []PINSource{{}, {File: "f", Env: "E"}} {
		config := good
		config.PIN = pin
		if _, err := Start(config); err == nil || !strings.Contains(err.Error(), "exactly one") {
			t.Errorf("a PIN of %+v: %v", pin, err)
		}
	}
	got, err := good.withDefaults()
	if err != nil || got.Sessions != 1 || got.HangTimeout != DefaultHangTimeout || got.MaxInFlight != DefaultMaxInFlight {
		t.Errorf("defaults: %+v, %v", got, err)
	}
	for profile, want := range map[string]int{"softhsm": 1, "pkcs11": 8, "cloudhsm": 32} {
		config := good
		config.Profile = profile
		if got, err := config.withDefaults(); err != nil || got.Sessions != want {
			t.Errorf("%s: %d sessions, want %d; %v", profile, got.Sessions, want, err)
		}
	}
}

// TestNamesOfAnHSM pins names that stand in audit trails.
func TestNamesOfAnHSM(t *testing.T) {
	who := Config{}.identify(TokenInfo{Serial: "0123456789abcdef"})
	if who.hsmID != "hsm-i2kx7p2gehi" || who.clusterID != "cluster-pjdzuhtkleu" {
		t.Errorf("names %q and %q", who.hsmID, who.clusterID)
	}
	given := Config{HSMID: "hsm-given", ClusterID: "cluster-given"}.identify(TokenInfo{Serial: "x"})
	if given.hsmID != "hsm-given" || given.clusterID != "cluster-given" {
		t.Errorf("names given, and %q and %q used", given.hsmID, given.clusterID)
	}
}

// TestEveryClassAndStateHasAName walks the closed sets.
func TestEveryClassAndStateHasAName(t *testing.T) {
	seen := map[string]bool{}
	for c := Caller; c <= Internal; c++ {
		seen[c.String()] = true
	}
	for s := Starting; s <= Suspended; s++ {
		seen[s.String()] = true
	}
	if seen["invalid"] || len(seen) != 13 {
		t.Errorf("names %v", seen)
	}
	if Class(0).String() != "invalid" || State(0).String() != "invalid" {
		t.Error("a zero value has a name")
	}
}

func TestErrorNamesEverything(t *testing.T) {
	e := &Error{
		Class: Operator, HSM: "hsm-1", Token: "label", Function: "C_Login", RV: 0xa0,
		Object: ObjectID{1}, Hint: "correct the PIN", Err: errors.New("logging in"),
	}
	want := `hsm hsm-1: token "label": key 01000000000000000000000000000000: C_Login: CKR_PIN_INCORRECT: logging in; correct the PIN`
	if diff := cmp.Diff(want, e.Error()); diff != "" {
		t.Error(diff)
	}
	if got := (&Error{Class: Busy}).Error(); got != "busy" {
		t.Errorf("an error of a class alone says %q", got)
	}
}
