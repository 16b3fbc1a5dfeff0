package metadata

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRecordBytes pins the bytes that docs/formats/metadata.md describes.
func TestRecordBytes(t *testing.T) {
	tests := []struct {
		name  string
		entry Entry
		want  string
	}{
		{"empty value", Entry{Key: testKey, Value: []byte{}, Revision: 1}, "0000000000000001" + "18fafd17"},
		{"value", Entry{Key: testKey, Value: []byte("value"), Revision: 0x0102030405060708}, "0102030405060708" + "9ffeac25" + "76616c7565"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			record := encodeRecord(test.entry)
			if got := hex.EncodeToString(record); got != test.want {
				t.Errorf("encodeRecord: %s, want %s", got, test.want)
			}
			got, err := decodeRecord(test.entry.Key, record)
			clear(record) // bbolt takes the record's memory back
			if diff := cmp.Diff(test.entry, got); diff != "" || err != nil {
				t.Errorf("decodeRecord: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestDamagedRecords(t *testing.T) {
	record := encodeRecord(Entry{Key: testKey, Value: []byte("value"), Revision: 7})
	for bit := range 8 * len(record) {
		damaged := append([]byte{}, record...)
		damaged[bit/8] ^= 1 << (bit % 8)
		if _, err := decodeRecord(testKey, damaged); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d flipped: %v, want ErrCorrupt", bit, err)
		}
	}
	for size := range record {
		if _, err := decodeRecord(testKey, record[:size]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v, want ErrCorrupt", size, err)
		}
	}
	if _, err := decodeRecord(testKey+"b", record); !errors.Is(err, ErrCorrupt) {
		t.Errorf("under another key: %v, want ErrCorrupt", err)
	}
	unborn := encodeRecord(Entry{Key: testKey})
	if _, err := decodeRecord(testKey, unborn); !errors.Is(err, ErrCorrupt) {
		t.Errorf("revision 0: %v, want ErrCorrupt", err)
	}
}

// TestVersion1File opens a file that the first version wrote. Later versions must
// still read it.
func TestVersion1File(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "v1.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "metadata.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBolt(path, BoltOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	got, revision, err := b.Range(t.Context(), "111122223333/us-east-1/")
	want := []Entry{
		{Key: "111122223333/us-east-1/alias/app", Value: []byte{}, Revision: 2},
		{Key: "111122223333/us-east-1/key/a", Value: []byte("second value"), Revision: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" || revision != 4 || err != nil {
		t.Errorf("Range: revision %d, %v, want 4 (-want +got):\n%s", revision, err, diff)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(testKey, encodeRecord(Entry{Key: testKey, Value: []byte("value"), Revision: 7}))
	f.Add(testKey, []byte{})
	f.Fuzz(func(t *testing.T, key string, record []byte) {
		e, err := decodeRecord(key, record)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("decodeRecord: %v, want ErrCorrupt", err)
			}
			return
		}
		if diff := cmp.Diff(record, encodeRecord(e)); diff != "" {
			t.Errorf("encoded again (-want +got):\n%s", diff)
		}
	})
}

func TestKeys(t *testing.T) {
	long := strings.Repeat("k", MaxKeySize)
	tests := []struct {
		text   string
		key    bool
		prefix bool
	}{
		{"111122223333/us-east-1/key/a", true, true},
		{"000000000000/x/~", true, true},
		{"111122223333/us-gov-east-1/alias/a:b_/c-d", true, true},
		{"111122223333/us-east-1/" + long[:MaxKeySize-23], true, true},
		{"111122223333/us-east-1//", true, true},
		{"111122223333/us-east-1/", false, true},
		{"111122223333/us-east-1", false, false},
		{"111122223333/", false, true},
		{"111122223333", false, false},
		{"11112222333/", false, false},
		{"", false, false},
		{"/us-east-1/a", false, false},
		{"111122223333//a", false, false},
		{"11112222333/us-east-1/a", false, false},
		{"1111222233334/us-east-1/a", false, false},
		{"11112222333a/us-east-1/a", false, false},
		{"111122223333/US-EAST-1/a", false, false},
		{"111122223333/us_east_1/a", false, false},
		{"111122223333/" + long[:33] + "/a", false, false},
		{"111122223333/us-east-1/a b", false, false},
		{"111122223333/us-east-1/a\n", false, false},
		{"111122223333/us-east-1/a\x00", false, false},
		{"111122223333/us-east-1/é", false, false},
		{"111122223333/us-east-1/" + long[:MaxKeySize-22], false, false},
	}
	for _, test := range tests {
		if err := CheckKey(test.text); (err == nil) != test.key || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("CheckKey(%.60q): %v, want accepted: %v", test.text, err, test.key)
		}
		if err := CheckPrefix(test.text); (err == nil) != test.prefix || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("CheckPrefix(%.60q): %v, want accepted: %v", test.text, err, test.prefix)
		}
	}
}

func TestEventKindString(t *testing.T) {
	for kind, want := range map[EventKind]string{0: "unknown", Put: "put", Delete: "delete", 3: "unknown"} {
		if got := kind.String(); got != want {
			t.Errorf("EventKind(%d) is %q, want %q", int(kind), got, want)
		}
	}
}
