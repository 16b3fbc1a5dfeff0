package wire

import (
	"bytes"
	"io"
	"testing"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// sink is a stream that forgets what is written.
type sink struct{ io.Writer }

func (sink) Read([]byte) (int, error) { return 0, io.EOF }
func (sink) Close() error             { return nil }

// TestOutgrownMemoryIsWiped appends until the buffer has to move.
func TestOutgrownMemoryIsWiped(t *testing.T) {
	secret := bytes.Repeat([]byte{0xab}, 64)
	c := New(sink{io.Discard})
	var outgrown [][]byte
	for range 100 {
		before := c.pending
		request := &workerv1.ToWorker{Request: &workerv1.ToWorker_Seal{Seal: &workerv1.SealRequest{Plaintext: secret}}}
		if err := c.Append(request); err != nil {
			t.Fatal(err)
		}
		if cap(c.pending) != cap(before) {
			outgrown = append(outgrown, before[:cap(before)])
		}
	}
	outgrown = append(outgrown, c.pending[:cap(c.pending)])
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(outgrown) < 3 {
		t.Fatalf("the buffer moved %d times: the test shows nothing", len(outgrown)-1)
	}
	for _, memory := range outgrown {
		if bytes.Contains(memory, secret) {
			t.Errorf("memory of %d bytes keeps a plaintext", len(memory))
		}
	}
}

// TestUnsentFramesAreWiped closes a connection before it has written.
func TestUnsentFramesAreWiped(t *testing.T) {
	secret := []byte("never sent")
	c := New(sink{io.Discard})
	request := &workerv1.ToWorker{Request: &workerv1.ToWorker_Start{Start: &workerv1.StartRequest{Pin: &workerv1.PinSource{Secret: secret}}}}
	if err := c.Append(request); err != nil {
		t.Fatal(err)
	}
	unsent := c.pending[:cap(c.pending)]
	if !bytes.Contains(unsent, secret) {
		t.Fatal("the frame is not there: the test shows nothing")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(unsent, secret) {
		t.Error("a closed connection keeps a secret")
	}
}
