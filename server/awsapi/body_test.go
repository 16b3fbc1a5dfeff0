package awsapi

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// Whatever a body was in is wiped: what it outgrew at once, the rest when it is
// given back.
func TestNothingOfABodyStays(t *testing.T) {
	sent := bytes.Repeat([]byte("secret"), keptBody)
	for name, reader := range map[string]func(io.Reader) io.Reader{
		"at once":     func(r io.Reader) io.Reader { return r },
		"by and by":   iotest.HalfReader,
		"end at once": iotest.DataErrReader,
	} {
		var b buffer = make([]byte, 0, 8)
		first := b[:8]
		body, err := appendAll(b, reader(bytes.NewReader(sent)))
		if err != nil || !bytes.Equal(body, sent) {
			t.Fatalf("%s: %d bytes, %v", name, len(body), err)
		}
		b.giveBack(body)
		for _, array := range [][]byte{first, body} {
			if !bytes.Equal(array, make([]byte, len(array))) {
				t.Errorf("%s: something stays of an array of %d bytes", name, len(array))
			}
		}
	}
}

// Memory of a usual size is kept for the next body, and it is empty.
func TestBuffersAreEmpty(t *testing.T) {
	b := borrow()
	b.giveBack(append(*b, "secret"...))
	if len(*b) != 0 || bytes.Contains((*b)[:cap(*b)], []byte("s")) {
		t.Errorf("it holds %q", (*b)[:cap(*b)])
	}
}
