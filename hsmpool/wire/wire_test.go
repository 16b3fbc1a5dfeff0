package wire_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/hsmpool/wire"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// memory is a stream that reads what was written, and counts the writes.
type memory struct {
	bytes.Buffer
	writes int
}

func (m *memory) Write(b []byte) (int, error) { m.writes++; return m.Buffer.Write(b) }
func (m *memory) Close() error                { return nil }

func seal(id uint64, size int) *workerv1.ToWorker {
	return &workerv1.ToWorker{Id: id, Request: &workerv1.ToWorker_Seal{
		Seal: &workerv1.SealRequest{Plaintext: bytes.Repeat([]byte{byte(id)}, size)},
	}}
}

// TestFrames sends messages smaller and larger than the buffers, all in one write.
func TestFrames(t *testing.T) {
	stream := &memory{}
	conn := wire.New(stream)
	sizes := []int{0, 1, 100, 4096, 70_000, 3, 200_000, 65_000, 1}
	for i, size := range sizes {
		if err := conn.Append(seal(uint64(i), size)); err != nil {
			t.Fatal(err)
		}
	}
	if stream.writes != 0 {
		t.Error("Append wrote")
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	if stream.writes != 1 {
		t.Errorf("%d writes for one batch", stream.writes)
	}
	for i, size := range sizes {
		got := &workerv1.ToWorker{}
		if err := conn.Read(got); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if !proto.Equal(seal(uint64(i), size), got) {
			t.Fatalf("frame %d is another message", i)
		}
	}
	if err := conn.Read(&workerv1.ToWorker{}); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v", err)
	}
}

// TestReadRefuses reads streams that end or lie.
func TestReadRefuses(t *testing.T) {
	frame := &memory{}
	conn := wire.New(frame)
	if err := errors.Join(conn.Append(seal(1, 10)), conn.Flush()); err != nil {
		t.Fatal(err)
	}
	whole := frame.Bytes()
	for _, test := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"nothing", nil, io.EOF},
		{"half a length", whole[:2], io.ErrUnexpectedEOF},
		{"only a length", whole[:4], io.ErrUnexpectedEOF},
		{"half a message", whole[:len(whole)-1], io.ErrUnexpectedEOF},
		{"a length over the limit", []byte{0xff, 0xff, 0xff, 0xff}, wire.ErrFrame},
		{"no protobuf", []byte{0, 0, 0, 2, 0xff, 0xff}, wire.ErrFrame},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := &memory{Buffer: *bytes.NewBuffer(test.bytes)}
			if err := wire.New(stream).Read(&workerv1.ToWorker{}); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestAppendRefusesTooLarge(t *testing.T) {
	stream := &memory{}
	conn := wire.New(stream)
	if err := conn.Append(seal(1, wire.MaxFrame)); !errors.Is(err, wire.ErrFrame) {
		t.Errorf("got %v, want ErrFrame", err)
	}
	if err := conn.Flush(); err != nil || stream.writes != 0 {
		t.Errorf("a refused message was written: %v", err)
	}
}

// TestCloseEndsRead shows that a blocked Read returns.
func TestCloseEndsRead(t *testing.T) {
	ours, theirs := net.Pipe()
	conn := wire.New(ours)
	result := make(chan error)
	go func() { result <- conn.Read(&workerv1.ToWorker{}) }()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err == nil {
		t.Error("a message came from a closed stream")
	}
	_ = theirs.Close()
}

// FuzzRead: any bytes give messages or an error; what was read can be sent again.
func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 2, 8, 1, 0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		conn := wire.New(&memory{Buffer: *bytes.NewBuffer(b)})
		for {
			m := &workerv1.ToWorker{}
			if err := conn.Read(m); err != nil {
				return
			}
			again := wire.New(&memory{})
			if err := errors.Join(again.Append(m), again.Flush()); err != nil {
				t.Fatal(err)
			}
			copied := &workerv1.ToWorker{}
			if err := again.Read(copied); err != nil || !proto.Equal(m, copied) {
				t.Fatalf("sent again: %v", err)
			}
		}
	})
}
