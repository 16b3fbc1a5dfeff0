// Package wire carries the frames between the server and a worker: a 32-bit
// big-endian length, then one protobuf message of
// proto/strongroom/worker/v1.
//
// Writing is split in two so that many frames leave in one system call: Append
// encodes into a buffer, Flush writes what has gathered. Both may be called by
// many goroutines; Read by one at a time. Frames carry plaintext, so both
// buffers are wiped as soon as their content has been passed on.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/protobuf/proto"
)

// Version is the version of the protocol, which both ends must share.
const Version = 7

// MaxFrame bounds the bytes of one message: far above the largest request (4 KiB
// of plaintext and its AAD), far below what a damaged length could claim.
const MaxFrame = 1 << 20

const (
	headerSize = 4
	readBuffer = 64 << 10
)

// ErrFrame reports bytes that are not a frame, or a message too large for one.
var ErrFrame = errors.New("bad frame")

// Conn sends and receives frames on a stream.
type Conn struct {
	stream io.ReadWriteCloser

	// in[start:end] has been read and not yet been decoded.
	in         []byte
	start, end int

	mu      sync.Mutex // guards pending
	pending []byte
	writing sync.Mutex // held for one write; guards spare
	spare   []byte
}

// New returns a Conn on stream, which it closes in Close.
func New(stream io.ReadWriteCloser) *Conn {
	return &Conn{stream: stream, in: make([]byte, readBuffer)}
}

// Append encodes m as the next frame. It does not write; see Flush.
func (c *Conn) Append(m proto.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := proto.Size(m)
	if size > MaxFrame {
		return fmt.Errorf("%w: message of %d bytes is over the limit of %d", ErrFrame, size, MaxFrame)
	}
	at := len(c.pending)
	c.grow(headerSize + size)
	buf, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(append(c.pending, 0, 0, 0, 0), m)
	if err != nil {
		clear(c.pending[at:cap(c.pending)])
		return fmt.Errorf("encoding a frame: %w", err)
	}
	binary.BigEndian.PutUint32(buf[at:], uint32(size))
	c.pending = buf
	return nil
}

// grow makes room for n more bytes, and wipes the memory that it gives up.
func (c *Conn) grow(n int) {
	old := c.pending
	if cap(old)-len(old) >= n {
		return
	}
	c.pending = append(make([]byte, 0, max(2*cap(old), len(old)+n)), old...)
	clear(old)
}

// Flush writes every frame appended so far. It blocks while the other end does
// not read.
func (c *Conn) Flush() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	out := c.pending
	c.pending = c.spare[:0]
	c.mu.Unlock()
	c.spare = out
	if len(out) == 0 {
		return nil
	}
	_, err := c.stream.Write(out)
	clear(out)
	if err != nil {
		return fmt.Errorf("writing frames: %w", err)
	}
	return nil
}

// Read decodes the next frame into m. The error is io.EOF when the other end has
// closed between two frames.
func (c *Conn) Read(m proto.Message) error {
	if err := c.fill(headerSize); err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint32(c.in[c.start:]))
	if size > MaxFrame {
		return fmt.Errorf("%w: length %d is over the limit of %d", ErrFrame, size, MaxFrame)
	}
	if err := c.fill(headerSize + size); err != nil {
		return noEOF(err)
	}
	frame := c.in[c.start : c.start+headerSize+size]
	c.start += len(frame)
	defer clear(frame)
	if err := proto.Unmarshal(frame[headerSize:], m); err != nil {
		return fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return nil
}

// Buffered tells whether bytes of a further frame have been read already.
func (c *Conn) Buffered() bool { return c.end > c.start }

// fill reads until n undecoded bytes are in the buffer.
func (c *Conn) fill(n int) error {
	if c.end-c.start >= n {
		return nil
	}
	c.makeRoom(n)
	got, err := io.ReadAtLeast(c.stream, c.in[c.end:], n-(c.end-c.start))
	started := c.end > c.start
	c.end += got
	if err == nil {
		return nil
	}
	if started {
		err = noEOF(err)
	}
	return fmt.Errorf("reading a frame: %w", err)
}

// makeRoom moves the undecoded bytes to the buffer's front and grows it to n.
func (c *Conn) makeRoom(n int) {
	rest := c.in[c.start:c.end]
	if n > len(c.in) {
		c.in = append(make([]byte, 0, n), rest...)[:n]
		clear(rest)
	} else if kept := copy(c.in, rest); kept > 0 {
		clear(c.in[max(kept, c.start):c.end])
	}
	c.start, c.end = 0, len(rest)
}

// noEOF turns the end of the stream into an unexpected one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close closes the stream; a blocked Read or Flush returns. What has not been sent is
// wiped.
func (c *Conn) Close() error {
	c.mu.Lock()
	clear(c.pending[:cap(c.pending)])
	c.pending = c.pending[:0]
	c.mu.Unlock()
	if err := c.stream.Close(); err != nil {
		return fmt.Errorf("closing the frame stream: %w", err)
	}
	return nil
}
