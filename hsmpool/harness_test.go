package hsmpool_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/worker"
)

const (
	softHSM = "/usr/lib/softhsm/libsofthsm2.so"
	userPIN = "user-pin-4711"
	soPIN   = "officer-pin-0815"
)

// TestMain lets the test binary be its own worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hsm-worker" {
		os.Exit(worker.Main(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// hsm is a SoftHSM token of a test's own, and what was recorded of it.
type hsm struct {
	dir, conf, pinFile string
	journal            *journal
	config             hsmpool.Config
}

// newHSM initialises a token through InitToken.
func newHSM(tb testing.TB) *hsm {
	tb.Helper()
	h := newEmptyHSM(tb)
	if err := hsmpool.InitToken(tb.Context(), h.initConfig()); err != nil {
		tb.Fatalf("InitToken: %v", err)
	}
	return h
}

// newEmptyHSM is a token directory without a token.
func newEmptyHSM(tb testing.TB) *hsm {
	tb.Helper()
	if _, err := os.Stat(softHSM); err != nil {
		tb.Skipf("SoftHSM is not installed: %v", err)
	}
	h := &hsm{dir: tb.TempDir(), journal: &journal{boots: map[string]uint32{}}}
	tokens := filepath.Join(h.dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		tb.Fatal(err)
	}
	h.conf = h.write(tb, "softhsm2.conf", "directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n")
	h.pinFile = h.write(tb, "pin", userPIN+"\n")
	h.write(tb, "so-pin", soPIN+"\n")
	h.config = hsmpool.Config{
		Library: softHSM,
		Token:   hsmpool.TokenSelector{Label: "strongroom"},
		PIN:     hsmpool.PINSource{File: h.pinFile},
		Profile: "softhsm",
		Env:     []string{"SOFTHSM2_CONF=" + h.conf, "GORACE=atexit_sleep_ms=0"},
		Auditor: h.journal,
		Logger:  hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: testWriter{tb}}),
	}
	return h
}

func (h *hsm) write(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func (h *hsm) initConfig() hsmpool.InitConfig {
	return hsmpool.InitConfig{
		Library: softHSM, Env: h.config.Env, Label: "strongroom",
		SOPIN: hsmpool.PINSource{File: filepath.Join(h.dir, "so-pin")}, PIN: hsmpool.PINSource{File: h.pinFile},
		Logger: h.config.Logger, Auditor: h.journal,
	}
}

// open opens a pool on the token, after edits of its config.
func (h *hsm) open(tb testing.TB, edits ...func(*hsmpool.Config)) *hsmpool.Pool {
	tb.Helper()
	config := h.config
	for _, edit := range edits {
		edit(&config)
	}
	pool, err := hsmpool.Open(tb.Context(), config)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() { closePool(tb, pool) })
	return pool
}

func closePool(tb testing.TB, pool *hsmpool.Pool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := pool.Close(ctx); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

// generate makes a key with a new id.
func generate(tb testing.TB, pool *hsmpool.Pool) hsmpool.ObjectID {
	tb.Helper()
	id := newID()
	if _, err := pool.Generate(tb.Context(), hsmpool.GenerateRequest{ID: id, Label: "arn:test:" + id.String(), Type: hsmpool.AES256, Use: hsmpool.Encrypt}); err != nil {
		tb.Fatalf("Generate: %v", err)
	}
	return id
}

func newID() (id hsmpool.ObjectID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// wantClass fails the test unless err is an Error of the class.
func wantClass(tb testing.TB, err error, want hsmpool.Class) {
	tb.Helper()
	_ = hsmError(tb, err, want)
}

// hsmError is wantClass, and returns the Error.
func hsmError(tb testing.TB, err error, want hsmpool.Class) *hsmpool.Error {
	tb.Helper()
	var e *hsmpool.Error
	if !errors.As(err, &e) || e.Class != want {
		tb.Fatalf("got error %v, want class %v", err, want)
	}
	return e
}

// journal is an Auditor in memory. Like the real one it keeps what it could not write.
type journal struct {
	mu      sync.Mutex
	boots   map[string]uint32
	entries []audit.HSMCommand
	kept    []func() // entries that could not be written
	hsms    []string
	broken  error
	refused int
	changed chan struct{}
}

func (j *journal) Boot(hsmID string) (uint32, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.boots[hsmID]++
	j.write(hsmID, audit.HSMCommand{Function: "Boot"})
	return j.boots[hsmID], nil
}

func (j *journal) QueueHSM(hsmID string, cmds ...audit.HSMCommand) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(hsmID, cmds...)
	return nil
}

func (j *journal) FlushHSM(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.kept) > 0 {
		j.refused++
		return j.broken
	}
	return nil
}

// refusals returns how often FlushHSM has failed.
func (j *journal) refusals() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refused
}

func (j *journal) write(hsmID string, cmds ...audit.HSMCommand) {
	if j.broken != nil {
		j.kept = append(j.kept, func() { j.append(hsmID, cmds...) })
		return
	}
	j.append(hsmID, cmds...)
}

func (j *journal) append(hsmID string, cmds ...audit.HSMCommand) {
	j.entries = append(j.entries, cmds...)
	for range cmds {
		j.hsms = append(j.hsms, hsmID)
	}
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// breakdown makes every write fail; nil repairs it.
func (j *journal) breakdown(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = err
	if err != nil {
		return
	}
	for _, write := range j.kept {
		write()
	}
	j.kept = nil
}

// since returns the entries from the n-th on.
func (j *journal) since(n int) []audit.HSMCommand {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries[n:])
}

func (j *journal) len() int { return len(j.since(0)) }

// lines prints entries as "C_Function" or "C_Function CKR" or "C_Function no reply".
func lines(entries []audit.HSMCommand) []string {
	var all []string
	for _, e := range entries {
		line := e.Function
		switch {
		case e.NoReply:
			line += " no reply"
		case e.RV != 0:
			line += fmt.Sprintf(" 0x%x", e.RV)
		}
		all = append(all, line)
	}
	return all
}

// await waits until the entries satisfy ok.
func (j *journal) await(tb testing.TB, what string, ok func([]audit.HSMCommand) bool) {
	tb.Helper()
	timeout := time.After(10 * time.Second)
	for {
		j.mu.Lock()
		done := ok(j.entries)
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed := j.changed
		j.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			tb.Fatalf("no %s among the entries %q", what, lines(j.since(0)))
		}
	}
}

// testWriter sends a log to the test's.
type testWriter struct{ tb testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.tb.Logf("%s", bytes.TrimRight(b, "\n"))
	return len(b), nil
}
