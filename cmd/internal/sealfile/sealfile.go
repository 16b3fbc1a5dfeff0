package sealfile

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

const (
	// DataKeySize is the size of a data key in bytes (AES-256).
	DataKeySize = 32
	// segmentSize is the size of a ciphertext segment in bytes.
	segmentSize = 1 << 20
	hkdfHash    = "SHA256"
)

// WrapFunc makes a new data key of DataKeySize bytes and answers it in the
// clear and wrapped (at most MaxWrappedKeySize bytes). Seal wipes the key.
type WrapFunc func(context.Context) (key, wrapped []byte, err error)

// UnwrapFunc recovers the data key from its wrapped form. Open wipes the key.
type UnwrapFunc func(ctx context.Context, wrapped []byte) (key []byte, err error)

// Seal writes the sealed form of all that r holds to w, under a data key from
// wrap. It stops between two reads when ctx ends.
func Seal(ctx context.Context, w io.Writer, r io.Reader, wrap WrapFunc) error {
	key, wrapped, err := wrap(ctx)
	if err != nil {
		return fmt.Errorf("getting a data key: %w", err)
	}
	defer clear(key)
	header, err := newHeader(wrapped)
	if err != nil {
		return err
	}
	stream, err := newStream(key)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	return sealStream(ctx, stream, w, r, header)
}

func sealStream(ctx context.Context, stream *subtle.AESGCMHKDF, w io.Writer, r io.Reader, header []byte) error {
	sealer, err := stream.NewEncryptingWriter(w, header)
	if err != nil {
		return fmt.Errorf("starting the stream: %w", err)
	}
	if err := copyAll(ctx, sealer, r); err != nil {
		return err
	}
	if err := sealer.Close(); err != nil {
		return fmt.Errorf("writing the last segment: %w", err)
	}
	return nil
}

// Open writes what was sealed to w. Each segment is authenticated before any
// of it is written, but only a nil error says that the file was whole: on any
// error the caller must throw away what w has. The error is ErrNotSealed or
// ErrDamaged, wrapped, when the fault is the input's.
func Open(ctx context.Context, w io.Writer, r io.Reader, unwrap UnwrapFunc) error {
	header, wrapped, err := readHeader(r)
	if err != nil {
		return err
	}
	key, err := unwrap(ctx, wrapped)
	if err != nil {
		return fmt.Errorf("unwrapping the data key: %w", err)
	}
	defer clear(key)
	stream, err := newStream(key)
	if err != nil {
		return err
	}
	src := &source{r: r}
	opener, err := stream.NewDecryptingReader(src, header)
	if err != nil {
		return src.blame(err)
	}
	return copyAll(ctx, w, &opened{opener, src})
}

func newStream(key []byte) (*subtle.AESGCMHKDF, error) {
	if len(key) != DataKeySize {
		return nil, fmt.Errorf("data key has %d bytes, want %d", len(key), DataKeySize)
	}
	stream, err := subtle.NewAESGCMHKDF(key, hkdfHash, DataKeySize, segmentSize, 0)
	if err != nil {
		return nil, fmt.Errorf("preparing AES-GCM-HKDF: %w", err)
	}
	return stream, nil
}

// copyAll copies r to w in constant memory until r ends or ctx does.
func copyAll(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, 256<<10)
	defer clear(buf)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, readErr := r.Read(buf)
		if _, err := w.Write(buf[:n]); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return fmt.Errorf("reading: %w", readErr)
		}
	}
}

// source remembers whether reading the input failed, so that a failing disk is
// not mistaken for a forged file.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// blame says whose fault an error of Tink's reader is.
func (s *source) blame(err error) error {
	if s.err != nil {
		return s.err
	}
	return fmt.Errorf("%w: %s", ErrDamaged, err.Error()) // not wrapped: it may be io.EOF
}

// opened is Tink's reader with errors that say whose fault they are.
type opened struct {
	r   io.Reader
	src *source
}

func (o *opened) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, o.src.blame(err)
}
