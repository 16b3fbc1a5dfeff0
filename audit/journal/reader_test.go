package journal

import (
	"errors"
	"strings"
	"testing"
)

// TestReader reads batches as they were written, over several segments, and from within one on.
func TestReader(t *testing.T) {
	j, _ := mustOpen(t, fixed(t.TempDir()))
	r := j.Reader(3)
	defer r.Close()
	expectNext := func(want ...string) {
		t.Helper()
		records, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, record := range records {
			got = append(got, string(record.Body))
		}
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("next are %q, want %q", got, want)
		}
	}
	expectNext()
	mustAppend(t, j, "record 1", "record 2")
	expectNext()
	mustAppend(t, j, "record 3", "record 4")
	mustAppend(t, j, "record 5")
	expectNext("record 3", "record 4")
	expectNext("record 5")
	expectNext()
	for _, body := range numbered(100) {
		mustAppend(t, j, body+strings.Repeat(".", 500), "and another one")
		expectNext(body+strings.Repeat(".", 500), "and another one")
	}
	if n := len(j.Segments()); n < 3 {
		t.Errorf("all that was in %d segments", n)
	}
	mustAppend(t, j, "the last one")
	mustClose(t, j)
	expectNext("the last one")
	if records, err := r.Next(); !errors.Is(err, ErrClosed) {
		t.Errorf("behind the end of a closed journal are %d records, %v", len(records), err)
	}
}

// TestReaderWithinABatch begins with a record that another one was written together with.
func TestReaderWithinABatch(t *testing.T) {
	j, _ := mustOpen(t, fixed(t.TempDir()))
	mustAppend(t, j, "record 1", "record 2", "record 3")
	r := j.Reader(2)
	defer r.Close()
	records, err := r.Next()
	if err != nil || len(records) != 2 || records[0].Seq != 2 || string(records[1].Body) != "record 3" {
		t.Errorf("next are %+v, %v", records, err)
	}
}
