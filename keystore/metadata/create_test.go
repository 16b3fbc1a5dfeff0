package metadata

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreateBolt(t *testing.T) {
	const newest = 7
	entries := []Entry{
		{Key: testKey, Value: []byte("v"), Revision: newest},
		{Key: testKey + "b", Value: []byte{}, Revision: 1},
	}
	for i := range 3 * entriesPerTx {
		entries = append(entries, Entry{Key: fmt.Sprintf("%sc%06d", testKey, i), Value: []byte{1}, Revision: 2})
	}
	path := filepath.Join(t.TempDir(), "metadata.db")
	if err := CreateBolt(path, newest, sequence(entries, nil)); err != nil {
		t.Fatal(err)
	}
	expectOnlyFile(t, path)
	got, revision, err := openAt(t, path).Range(t.Context(), scopeOf(testKey))
	if diff := cmp.Diff(entries, got); diff != "" || revision != newest || err != nil {
		t.Errorf("revision %d, %v (-want +got):\n%s", revision, err, diff)
	}
	if err := CreateBolt(path, newest, noEntries); !errors.Is(err, os.ErrExist) {
		t.Errorf("CreateBolt of a file that exists: %v", err)
	}
}

func TestCreateBoltRefuses(t *testing.T) {
	broken := errors.New("the source broke off")
	tests := map[string]struct {
		entry Entry
		err   error
		want  error
	}{
		"revision 0":          {Entry{Key: testKey}, nil, ErrInvalid},
		"a later revision":    {Entry{Key: testKey, Revision: 3}, nil, ErrInvalid},
		"a bad key":           {Entry{Key: "key", Revision: 1}, nil, ErrInvalid},
		"a value too long":    {Entry{Key: testKey, Revision: 1, Value: make([]byte, MaxValueSize+1)}, nil, ErrInvalid},
		"an error of its own": {Entry{}, broken, broken},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			good := Entry{Key: testKey + "a", Revision: 1}
			err := CreateBolt(filepath.Join(dir, "metadata.db"), 2, sequence([]Entry{good, test.entry}, test.err))
			if !errors.Is(err, test.want) {
				t.Errorf("CreateBolt: %v, want %v", err, test.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}

// sequence yields entries; the last one with an error.
func sequence(entries []Entry, last error) func(func(Entry, error) bool) {
	return func(yield func(Entry, error) bool) {
		for i, e := range entries {
			var err error
			if i == len(entries)-1 {
				err = last
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
