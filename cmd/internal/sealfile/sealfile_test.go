package sealfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/cmd/internal/sealfile"
)

const segment = 1 << 20

// wrappedKey stands for what a KMS would answer.
var wrappedKey = []byte("wrapped data key")

func dataKey() []byte { return bytes.Repeat([]byte{0x42}, sealfile.DataKeySize) }

func wrap(context.Context) ([]byte, []byte, error) { return dataKey(), wrappedKey, nil }

// unwrap is a KMS that refuses what it did not wrap.
func unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	if !bytes.Equal(wrapped, wrappedKey) {
		return nil, errRefused
	}
	return dataKey(), nil
}

var errRefused = errors.New("InvalidCiphertextException")

func seal(t testing.TB, plaintext []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := sealfile.Seal(t.Context(), &out, bytes.NewReader(plaintext), wrap); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(ctx context.Context, sealed []byte) ([]byte, error) {
	var out bytes.Buffer
	err := sealfile.Open(ctx, &out, bytes.NewReader(sealed), unwrap)
	return out.Bytes(), err
}

// noise is reproducible random bytes.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	// The first segment has room for 1 MiB less Tink's header (40) and the tag
	// (16), the others for 1 MiB less the tag.
	first, next := segment-40-16, segment-16
	for _, n := range []int{0, 1, 100, first - 1, first, first + 1, first + next, first + next + 1, 3*segment + 17} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			plaintext := noise(n)
			sealed := seal(t, plaintext)
			got, err := open(t.Context(), sealed)
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Fatalf("opened %d bytes, err %v; want the %d that were sealed", len(got), err, n)
			}
		})
	}
}

func TestOpenRefusesEveryFlippedBit(t *testing.T) {
	sealed := seal(t, []byte("a short secret"))
	for bit := range 8 * len(sealed) {
		altered := slices.Clone(sealed)
		altered[bit/8] ^= 1 << (bit % 8)
		got, err := open(t.Context(), altered)
		if err == nil || len(got) > 0 {
			t.Fatalf("bit %d flipped: opened %q, err %v", bit, got, err)
		}
		if !errors.Is(err, sealfile.ErrDamaged) && !errors.Is(err, sealfile.ErrNotSealed) && !errors.Is(err, errRefused) {
			t.Fatalf("bit %d flipped: error does not say whose fault it is: %v", bit, err)
		}
	}
}

func TestOpenRefusesEveryTruncation(t *testing.T) {
	sealed := seal(t, []byte("a short secret"))
	for n := range len(sealed) {
		if _, err := open(t.Context(), sealed[:n]); err == nil {
			t.Fatalf("opened the first %d of %d bytes", n, len(sealed))
		}
	}
}

func TestOpenRefusesAlteredLargeFiles(t *testing.T) {
	plaintext := noise(2*segment + 1000)
	sealed := seal(t, plaintext)
	header := len(sealed) - len(plaintext) - 40 - 3*16
	tests := map[string][]byte{
		"cut after the first segment":  sealed[:header+segment],
		"cut after the second segment": sealed[:header+2*segment],
		"cut within the last tag":      sealed[:len(sealed)-1],
		"a byte added":                 append(slices.Clone(sealed), 0),
		"two segments swapped":         slices.Concat(sealed[:header], sealed[header+segment:header+2*segment], sealed[header:header+segment], sealed[header+2*segment:]),
		"the second segment dropped":   slices.Concat(sealed[:header+segment], sealed[header+2*segment:]),
		"another file's last segment":  slices.Concat(sealed[:header+2*segment], seal(t, plaintext)[header+2*segment:]),
	}
	for name, altered := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := open(t.Context(), altered); !errors.Is(err, sealfile.ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
		})
	}
}

func TestAnyFlippedBitIsRefused(t *testing.T) {
	plaintext := noise(segment + 5000)
	sealed := seal(t, plaintext)
	rapid.Check(t, func(t *rapid.T) {
		bit := rapid.IntRange(0, 8*len(sealed)-1).Draw(t, "bit")
		sealed[bit/8] ^= 1 << (bit % 8)
		defer func() { sealed[bit/8] ^= 1 << (bit % 8) }()
		if _, err := open(context.Background(), sealed); err == nil {
			t.Fatalf("opened although bit %d is flipped", bit)
		}
	})
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	sealed := seal(t, []byte("secret"))
	failing := errors.New("disk on fire")
	tests := []struct {
		name  string
		input io.Reader
		want  error
		text  string
	}{
		{"empty", strings.NewReader(""), sealfile.ErrNotSealed, "0 bytes"},
		{"another kind of file", strings.NewReader("%PDF-1.7 and so on"), sealfile.ErrNotSealed, `does not begin with "SRSEALED"`},
		{"a later version", strings.NewReader("SRSEALED\x02\x00\x01k"), sealfile.ErrNotSealed, "unknown format version 2"},
		{"no wrapped key", strings.NewReader("SRSEALED\x01\x00\x00"), sealfile.ErrDamaged, "0 bytes, want 1 to 6144"},
		{"wrapped key too long", strings.NewReader("SRSEALED\x01\x18\x01"), sealfile.ErrDamaged, "6145 bytes, want 1 to 6144"},
		{"cut in the header", bytes.NewReader(sealed[:10]), sealfile.ErrDamaged, "ends within its header"},
		{"cut in the wrapped key", bytes.NewReader(sealed[:20]), sealfile.ErrDamaged, "ends within the wrapped data key"},
		{"cut in the body", bytes.NewReader(sealed[:len(sealed)-1]), sealfile.ErrDamaged, "truncated or altered"},
		{"failing disk, header", iotest.ErrReader(failing), failing, "reading the header"},
		{"failing disk, body", io.MultiReader(bytes.NewReader(sealed[:40]), iotest.ErrReader(failing)), failing, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			err := sealfile.Open(t.Context(), io.Discard, tc.input, unwrap)
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v, want %v with %q", err, tc.want, tc.text)
			}
			if errors.Is(err, sealfile.ErrDamaged) && errors.Is(tc.want, failing) {
				t.Errorf("a failing disk was taken for a forged file: %v", err)
			}
		})
	}
}

func TestFailingWriterFailsBoth(t *testing.T) {
	sealed := seal(t, []byte("secret"))
	if err := sealfile.Seal(t.Context(), fullDisk{}, strings.NewReader("secret"), wrap); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Seal: %v", err)
	}
	if err := sealfile.Open(t.Context(), fullDisk{}, bytes.NewReader(sealed), unwrap); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Open: %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestDataKeysAreWiped(t *testing.T) {
	key := dataKey()
	var sealed bytes.Buffer
	err := sealfile.Seal(t.Context(), &sealed, strings.NewReader("secret"), func(context.Context) ([]byte, []byte, error) {
		return key, wrappedKey, nil
	})
	if err != nil || !bytes.Equal(key, make([]byte, sealfile.DataKeySize)) {
		t.Errorf("after Seal: key %x, err %v", key, err)
	}
	key = dataKey()
	err = sealfile.Open(t.Context(), io.Discard, &sealed, func(context.Context, []byte) ([]byte, error) { return key, nil })
	if err != nil || !bytes.Equal(key, make([]byte, sealfile.DataKeySize)) {
		t.Errorf("after Open: key %x, err %v", key, err)
	}
}

func TestUnfitDataKeysAreRefused(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33} {
		short := func(context.Context) ([]byte, []byte, error) { return make([]byte, n), wrappedKey, nil }
		if err := sealfile.Seal(t.Context(), io.Discard, strings.NewReader(""), short); err == nil {
			t.Errorf("sealed with a data key of %d bytes", n)
		}
	}
	for _, n := range []int{0, sealfile.MaxWrappedKeySize + 1} {
		long := func(context.Context) ([]byte, []byte, error) { return dataKey(), make([]byte, n), nil }
		if err := sealfile.Seal(t.Context(), io.Discard, strings.NewReader(""), long); err == nil {
			t.Errorf("sealed with a wrapped data key of %d bytes", n)
		}
	}
}

func TestAnEndedContextStopsTheWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sealfile.Seal(ctx, io.Discard, strings.NewReader("secret"), wrap); !errors.Is(err, context.Canceled) {
		t.Errorf("Seal: %v", err)
	}
	if _, err := open(ctx, seal(t, []byte("secret"))); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("SRSEALED\x01\x00\x01k"))
	f.Add([]byte("SRSEALED\x02"))
	f.Fuzz(func(t *testing.T, input []byte) {
		// The key is not the fuzzer's to know, so nothing it makes can open.
		if got, err := open(t.Context(), input); err == nil {
			t.Errorf("opened %q", got)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	plaintext := noise(16 * segment)
	b.SetBytes(int64(len(plaintext)))
	for b.Loop() {
		if err := sealfile.Seal(b.Context(), io.Discard, bytes.NewReader(plaintext), wrap); err != nil {
			b.Fatal(err)
		}
	}
}
