package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 3, 2, 10, 15, 30, 123456000, time.UTC)

func mustOpen(t testing.TB, dir string) *Trail {
	t.Helper()
	trail, _, err := Open(Options{Dir: dir, SegmentSize: minSegmentSize})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trail.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return trail
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func event(requestID string) *APIEvent {
	return &APIEvent{
		EventTime: at, EventSource: "kms.amazonaws.com", EventName: "CreateKey", AWSRegion: "us-east-1",
		SourceIPAddress: "192.0.2.1", RequestID: requestID, EventID: "event of " + requestID, RecipientAccountID: "000000000000",
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func requestIDs(t *testing.T, trail *Trail, q Query) (ids []string) {
	t.Helper()
	for r, err := range trail.Events(t.Context(), q) {
		must(t, err)
		var e struct{ RequestID string }
		must(t, json.Unmarshal(r.JSON, &e))
		ids = append(ids, e.RequestID)
	}
	return ids
}

// numbers returns an HSM's entries as "sequence number/reboot counter".
func numbers(t *testing.T, trail *Trail, q Query) (list []string) {
	t.Helper()
	for e, err := range trail.HSMLog(t.Context(), q) {
		must(t, err)
		list = append(list, fmt.Sprintf("%s %d/%d", e.HSM, e.SequenceNo, e.RebootCounter))
	}
	return list
}

func TestTrailsGoOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	for run := range 3 {
		trail := mustOpen(t, dir)
		for _, hsm := range []string{"hsm-a", "hsm-b"} {
			counter, err := trail.Boot(hsm)
			must(t, err)
			if counter != uint32(run+1) {
				t.Errorf("reboot counter of %s is %d in run %d", hsm, counter, run)
			}
		}
		login := HSMCommand{Function: "C_Login", Time: at, UserName: "user", UserType: UserTypeCryptoUser}
		must(t, trail.QueueHSM("hsm-a", login, HSMCommand{Function: "C_Logout", Time: at}))
		must(t, trail.QueueHSM("hsm-b", login))
		must(t, trail.RecordEvent(t.Context(), event(fmt.Sprint("request ", run))))
		must(t, trail.Close(t.Context()))
	}
	trail := mustOpen(t, dir)
	wantA := []string{"hsm-a 0/1", "hsm-a 1/1", "hsm-a 2/2", "hsm-a 3/2", "hsm-a 4/3", "hsm-a 5/3"}
	queries := []struct {
		q    Query
		want []string
	}{
		{Query{HSM: "hsm-a"}, wantA},
		{Query{HSM: "hsm-a", Last: 3}, wantA[3:]},
		{Query{HSM: "hsm-a", Last: 99}, wantA},
		{Query{HSM: "hsm-b"}, []string{"hsm-b 0/1", "hsm-b 1/2", "hsm-b 2/3"}},
		{Query{Last: 2}, []string{"hsm-a 5/3", "hsm-b 2/3"}},
		{Query{HSM: "hsm-c", Last: 2}, nil},
	}
	for _, tt := range queries {
		if diff := cmp.Diff(tt.want, numbers(t, trail, tt.q)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.q, diff)
		}
	}
	if diff := cmp.Diff([]string{"request 1", "request 2"}, requestIDs(t, trail, Query{Last: 2})); diff != "" {
		t.Errorf("last two events (-want +got):\n%s", diff)
	}
	r, err := Verify(dir)
	if err != nil || r.Events != 3 || r.HSMEntries != 9 {
		t.Errorf("report %+v, %v", r, err)
	}
}

func TestIntentsAreSettledByTheirEvents(t *testing.T) {
	dir := t.TempDir()
	trail := mustOpen(t, dir)
	for _, id := range []string{"settled", "cut off", `odd "one"`} {
		must(t, trail.RecordIntent(t.Context(), &Intent{RequestID: id, EventName: "CreateKey", Time: at}))
	}
	must(t, trail.RecordEvent(t.Context(), event("settled")))
	must(t, trail.RecordEvent(t.Context(), event(`odd "one"`)))
	misleading := event("other")
	misleading.RequestParameters = []byte(`{"encryptionContext":{"requestID":"cut off"}}`)
	must(t, trail.RecordEvent(t.Context(), misleading))
	big := event("big")
	big.RequestParameters = []byte(`{"pad":"` + strings.Repeat("x", 90<<10) + `"}`)
	for range 30 { // the intent moves to later segments in their checkpoints
		must(t, trail.RecordEvent(t.Context(), big))
	}
	must(t, trail.Close(t.Context()))

	want := []Intent{{RequestID: "cut off", EventName: "CreateKey", Time: at}}
	trail = mustOpen(t, dir)
	if diff := cmp.Diff(want, trail.UnsettledIntents()); diff != "" {
		t.Errorf("unsettled intents (-want +got):\n%s", diff)
	}
	must(t, trail.RecordEvent(t.Context(), event("cut off")))
	if left := trail.UnsettledIntents(); len(left) != 0 {
		t.Errorf("after its event: %v", left)
	}
	must(t, trail.Close(t.Context()))
	if left := mustOpen(t, dir).UnsettledIntents(); len(left) != 0 {
		t.Errorf("after a restart: %v", left)
	}
	r, err := Verify(dir)
	if err != nil || r.Intents != 3 || r.Segments < 4 {
		t.Errorf("report %+v, %v", r, err)
	}
}

func TestRefusedIntents(t *testing.T) {
	trail := mustOpen(t, t.TempDir())
	for name, in := range map[string]Intent{
		"no request id": {EventName: "CreateKey"},
		"too large":     {RequestID: strings.Repeat("x", maxIntentSize)},
		"no JSON time":  {RequestID: "request", Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if err := trail.RecordIntent(t.Context(), &in); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Open intents stand in each checkpoint, so there is a bound to them.
func TestOpenIntentsAreBounded(t *testing.T) {
	dir := t.TempDir()
	trail := mustOpen(t, dir)
	largest := func(id int) *Intent {
		in := &Intent{RequestID: fmt.Sprint("request ", id), Time: at}
		body, err := in.encode()
		must(t, err)
		in.EventName = strings.Repeat("x", maxIntentSize-len(body))
		return in
	}
	var writers sync.WaitGroup
	for id := range maxOpenIntents {
		writers.Go(func() {
			if err := trail.RecordIntent(t.Context(), largest(id)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	for range 3 { // segments are begun with the largest checkpoint
		if err := trail.RecordIntent(t.Context(), largest(-1)); !errors.Is(err, journal.ErrUnavailable) {
			t.Fatalf("one too many: %v", err)
		}
		must(t, trail.RecordEvent(t.Context(), event("other")))
		must(t, trail.Close(t.Context()))
		trail = mustOpen(t, dir)
	}
	must(t, trail.RecordEvent(t.Context(), event("request 7")))
	must(t, trail.RecordIntent(t.Context(), largest(-1)))
	must(t, trail.Close(t.Context()))
	if _, err := Verify(dir); err != nil {
		t.Error(err)
	}
	if n := len(mustOpen(t, dir).UnsettledIntents()); n != maxOpenIntents {
		t.Errorf("%d unsettled intents", n)
	}
}

// An intent whose caller is gone keeps its place until it is known whether it is
// written, and no longer.
func TestIntentOfACallerThatIsGone(t *testing.T) {
	dir := t.TempDir()
	trail := mustOpen(t, dir)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	err := trail.RecordIntent(gone, &Intent{RequestID: "request", Time: at})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("RecordIntent: %v", err)
	}
	must(t, trail.Close(t.Context()))
	if trail.state.pending != 0 {
		t.Errorf("%d intents pending after Close", trail.state.pending)
	}
	if err := trail.RecordIntent(t.Context(), &Intent{RequestID: "request"}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	mustOpen(t, dir) // with the intent, or without it if Close came first
}

func TestFollowedTrails(t *testing.T) {
	trail := mustOpen(t, t.TempDir())
	must(t, trail.RecordEvent(t.Context(), event("old")))
	must(t, trail.RecordEvent(t.Context(), event("newest")))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	var last error
	for r, err := range trail.Events(ctx, Query{Last: 1, Follow: true}) {
		if last = err; err != nil {
			break
		}
		switch got = append(got, string(r.JSON)); len(got) {
		case 1:
			must(t, trail.QueueHSM("hsm-a", HSMCommand{Function: "C_Login"}))
			must(t, trail.RecordEvent(t.Context(), event("new")))
		case 2:
			cancel()
		}
	}
	if len(got) != 2 || !strings.Contains(got[0], "newest") || !errors.Is(last, context.Canceled) {
		t.Errorf("followed %q, then %v", got, last)
	}
}

func TestVerifyReadsBodies(t *testing.T) {
	entry := func(seq uint64, reboots uint32) journal.Entry {
		e := HSMEntry{HSM: "hsm-a", SequenceNo: seq, RebootCounter: reboots, HSMCommand: HSMCommand{Function: "C_Login"}}
		return journal.Entry{Kind: kindHSMEntry, Body: e.AppendJSON(nil)}
	}
	body := func(kind byte, body string) journal.Entry { return journal.Entry{Kind: kind, Body: []byte(body)} }
	tests := []struct {
		name    string
		entries []journal.Entry
		bad     uint64 // record; 0 if none
		opens   bool   // Open restores state only, and does not read all
	}{
		{"good", []journal.Entry{entry(0, 0), entry(1, 0), body(kindBoot, `{"hsm":"hsm-a","rebootCounter":1}`), entry(2, 1)}, 0, true},
		{"gap", []journal.Entry{entry(0, 0), entry(2, 0)}, 2, false},
		{"repeated number", []journal.Entry{entry(0, 0), entry(0, 0)}, 2, false},
		{"unannounced reboot", []journal.Entry{entry(0, 0), entry(1, 1)}, 2, false},
		{"falling reboot counter", []journal.Entry{body(kindBoot, `{"hsm":"hsm-a","rebootCounter":1}`), entry(0, 0)}, 2, false},
		{"event that is no JSON", []journal.Entry{body(kindEvent, `{`)}, 1, true},
		{"event that is no object", []journal.Entry{body(kindEvent, `1`)}, 1, true},
		{"empty event", []journal.Entry{body(kindEvent, ``)}, 1, true},
		{"intent that is no JSON", []journal.Entry{body(kindIntent, `?`)}, 1, false},
		{"untrue checkpoint", []journal.Entry{entry(0, 0), body(kindCheckpoint, `{"hsms":{}}`)}, 2, true},
		{"unknown kind", []journal.Entry{body(99, `{}`)}, 1, false},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		j, _, err := journal.Open(journal.Options{Dir: dir})
		must(t, err)
		_, err = j.Append(t.Context(), tt.entries...)
		must(t, err)
		must(t, j.Close(t.Context()))
		_, err = Verify(dir)
		var c *journal.Corruption
		if tt.bad == 0 && err != nil || tt.bad > 0 && (!errors.As(err, &c) || c.Seq != tt.bad) {
			t.Errorf("%s: %v, want record %d", tt.name, err, tt.bad)
		}
		for range 2 { // a checkpoint must not hide what the first one found
			trail, _, err := Open(Options{Dir: dir})
			if (err == nil) != tt.opens || err != nil && (!errors.As(err, &c) || c.Seq != tt.bad) {
				t.Errorf("%s: Open: %v", tt.name, err)
			}
			if err == nil {
				must(t, trail.Close(t.Context()))
			}
		}
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{}, {Dir: t.TempDir(), SegmentSize: 1}} {
		if _, _, err := Open(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	e := fullEvent()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
	if !bytes.HasPrefix(buf, []byte("{")) {
		b.Fatal("no event")
	}
}
