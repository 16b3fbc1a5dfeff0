package hsmpool

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// TestWorkerDoesNotOutliveItsServer ends the socket while a start hangs.
func TestWorkerDoesNotOutliveItsServer(t *testing.T) {
	t.Parallel()
	pin := filepath.Join(t.TempDir(), "pin")
	if err := syscall.Mkfifo(pin, 0o600); err != nil { // whose reader waits for a writer
		t.Fatal(err)
	}
	for what, request := range map[string]*workerv1.ToWorker{
		"starting": {Request: &workerv1.ToWorker_Start{Start: &workerv1.StartRequest{Pin: &workerv1.PinSource{File: pin}}}},
		"making a token": {Request: &workerv1.ToWorker_InitToken{InitToken: &workerv1.InitTokenRequest{
			SoPin: &workerv1.PinSource{File: pin}, Pin: &workerv1.PinSource{File: pin},
		}}},
	} {
		config := Config{WorkerCommand: orDefaultCommand(nil), Logger: orNullLogger(nil), MaxInFlight: 1}
		p, err := spawn(config, config.Logger, &callLog{auditor: full{}, log: config.Logger}, &tally{})
		if err != nil {
			t.Fatal(err)
		}
		<-p.hello
		if err := p.send(request, newCall(true)); err != nil {
			t.Fatal(err)
		}
		if waitFor(p.exited, 200*time.Millisecond) {
			t.Fatalf("%s: the worker ended by itself", what)
		}
		if err := p.socket.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if !waitFor(p.exited, 5*time.Second) {
			t.Errorf("%s: the worker outlives its socket", what)
		}
		p.end()
	}
}
