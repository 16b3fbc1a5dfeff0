package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

var update = flag.Bool("update", false, "rewrite the golden file")

const scope = "111122223333/eu-central-1/"

// content is what a backup holds.
type content struct {
	Header   Header
	Entries  []metadata.Entry
	First    uint64 // number of the first segment, if there is one
	Segments []string
}

func sample() content {
	return content{
		Header: Header{
			Service: "v0.3.0", Created: time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC),
			Account: "111122223333", Regions: []string{"us-east-1", "eu-central-1"}, Revision: 7,
			Journal: "6a6f75726e616c2d69642d3136627974", HeadSequence: 42, HeadHash: strings.Repeat("ab", 32),
		},
		Entries: []metadata.Entry{
			{Key: scope + "key/a", Value: []byte("first value"), Revision: 7},
			{Key: scope + "key/b", Value: []byte{}, Revision: 1},
			{Key: scope + "service", Value: []byte{0, 255}, Revision: 2},
			{Key: "111122223333/us-east-1/key/a", Value: []byte("of another Region"), Revision: 6},
		},
		First:    7,
		Segments: []string{"the first segment", "", "the last one"},
	}
}

// large has more of everything than one section takes.
func large() content {
	c := sample()
	for i := range 300 {
		e := metadata.Entry{Key: fmt.Sprintf("111122223333/zz/%04d", i), Value: bytes.Repeat([]byte{byte(i)}, 2000), Revision: 3}
		c.Entries = append(c.Entries, e)
	}
	c.Entries = append(c.Entries, metadata.Entry{Key: "111122223333/zzz/z", Value: make([]byte, metadata.MaxValueSize), Revision: 4})
	c.Segments = append(c.Segments, strings.Repeat("0123456789abcdef", fullBody/8+1))
	return c
}

func write(w io.Writer, c content) error {
	a, err := NewWriter(w, c.Header)
	if err != nil {
		return err
	}
	for _, e := range c.Entries {
		if err := a.Entry(e); err != nil {
			return err
		}
	}
	for i, s := range c.Segments {
		if err := a.Segment(Segment{Number: c.First + uint64(i), Length: int64(len(s))}, strings.NewReader(s)); err != nil {
			return err
		}
	}
	_, err = a.Close()
	return err
}

func encode(t testing.TB, c content) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(r io.Reader) (c content, totals Totals, err error) {
	a, err := NewReader(r)
	if err != nil {
		return c, totals, err
	}
	c.Header = a.Header()
	for e, err := range a.Entries() {
		if err != nil {
			return c, totals, err
		}
		c.Entries = append(c.Entries, e)
	}
	for {
		s, data, err := a.NextSegment()
		if errors.Is(err, io.EOF) {
			return c, a.Totals(), nil
		}
		if err != nil {
			return c, totals, err
		}
		b, err := io.ReadAll(data)
		if err != nil {
			return c, totals, err
		}
		if c.First == 0 {
			c.First = s.Number
		}
		if s.Number != c.First+uint64(len(c.Segments)) || s.Length != int64(len(b)) {
			return c, totals, fmt.Errorf("segment %+v is the %dth and has %d bytes", s, len(c.Segments)+1, len(b))
		}
		c.Segments = append(c.Segments, string(b))
	}
}

func TestRoundTrip(t *testing.T) {
	for name, want := range map[string]content{"sample": sample(), "large": large(), "empty": {Header: sample().Header}} {
		t.Run(name, func(t *testing.T) {
			encoded := encode(t, want)
			sources := map[string]io.Reader{
				"at once":         bytes.NewReader(encoded),
				"byte by byte":    iotest.OneByteReader(bytes.NewReader(encoded)),
				"with io.EOF":     iotest.DataErrReader(bytes.NewReader(encoded)),
				"half of a piece": iotest.HalfReader(bytes.NewReader(encoded)),
			}
			for how, source := range sources {
				got, totals, err := read(source)
				if err != nil || !reflect.DeepEqual(want, got) { // cmp looks at each byte, and there are many
					t.Errorf("%s: %v, and what was read differs from what was written", how, err)
				}
				if int(totals.Entries) != len(want.Entries) || int(totals.Segments) != len(want.Segments) {
					t.Errorf("%s: totals %+v", how, totals)
				}
			}
		})
	}
}

// second is what the golden file of the second version holds.
func second() content {
	c := sample()
	c.First = 1
	return c
}

// first is what that of the first version holds.
func first() content {
	c := second()
	c.Header.Regions = []string{"eu-central-1"}
	c.Entries = c.Entries[:3]
	return c
}

// TestGolden compares byte for byte with a backup of the present version, which
// later versions must still read, and reads one of each version.
func TestGolden(t *testing.T) {
	path := filepath.Join("testdata", "v3.backup")
	got := encode(t, sample())
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(golden(t, path), got); diff != "" {
		t.Errorf("the bytes differ (-want +got):\n%s", diff)
	}
	older := func(version string) string { return filepath.Join("testdata", version+".backup") }
	for path, want := range map[string]content{path: sample(), older("v2"): second(), older("v1"): first()} {
		if c, _, err := read(bytes.NewReader(golden(t, path))); err != nil || !cmp.Equal(want, c) {
			t.Errorf("reading %s: %v (-want +got):\n%s", path, err, cmp.Diff(want, c))
		}
	}
}

func golden(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOlderVersionsBeginWithSegmentOne has another first segment in backups of each version.
func TestOlderVersionsBeginWithSegmentOne(t *testing.T) {
	whole := golden(t, filepath.Join("testdata", "v2.backup"))
	header := whole[preludeSize:][:frameSize+int(binary.BigEndian.Uint32(whole[preludeSize:]))+sumSize]
	segment := encodeSection(typeSegment, append(binary.BigEndian.AppendUint64(nil, 7), make([]byte, 8)...))
	for version, want := range map[byte]string{2: "segment 7 after 0 segments", 3: "cut short"} {
		_, _, err := read(bytes.NewReader(slices.Concat([]byte(magic), []byte{0, 0, 0, version}, header, segment)))
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("version %d: %v, want ErrCorrupt: %s", version, err, want)
		}
	}
}

// TestFirstVersionIsOfOneRegion has an entry of another Region in a backup whose
// header names one.
func TestFirstVersionIsOfOneRegion(t *testing.T) {
	whole := golden(t, filepath.Join("testdata", "v1.backup"))
	header := whole[:preludeSize+frameSize+int(binary.BigEndian.Uint32(whole[preludeSize:]))+sumSize]
	for key, want := range map[string]string{scope + "a": "cut short", "111122223333/us-east-1/a": "is no key under " + scope} {
		stray := encodeSection(typeEntries, appendEntry(nil, metadata.Entry{Key: key, Revision: 1}))
		_, _, err := read(bytes.NewReader(append(bytes.Clone(header), stray...)))
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("an entry %s: %v, want ErrCorrupt: %s", key, err, want)
		}
	}
}

func TestCutShort(t *testing.T) {
	whole := encode(t, sample())
	for size := range whole {
		if _, _, err := read(bytes.NewReader(whole[:size])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v, want ErrCorrupt", size, len(whole), err)
		}
	}
}

func TestEveryBitIsChecked(t *testing.T) {
	whole := encode(t, sample())
	for bit := range 8 * len(whole) {
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		if _, _, err := read(bytes.NewReader(damaged)); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("bit %d flipped: %v, want ErrCorrupt", bit, err)
		}
	}
}

// section encodes one section, as Writer does.
func encodeSection(kind byte, body []byte) []byte {
	var b bytes.Buffer
	a := &Writer{w: &b, sum: sha256.New()}
	a.section(kind, body)
	return b.Bytes()
}

// TestSectionsOutOfPlace reads backups whose sections are each whole.
func TestSectionsOutOfPlace(t *testing.T) {
	whole := encode(t, content{Header: sample().Header})
	header := whole[:len(whole)-frameSize-trailerBodySize-sumSize]
	entry := func(e metadata.Entry) []byte { return encodeSection(typeEntries, appendEntry(nil, e)) }
	segment := func(number, length uint64) []byte {
		body := binary.BigEndian.AppendUint64(nil, number)
		return encodeSection(typeSegment, binary.BigEndian.AppendUint64(body, length))
	}
	data := func(s string) []byte { return encodeSection(typeData, []byte(s)) }
	a := metadata.Entry{Key: scope + "a", Revision: 1}
	tests := map[string][][]byte{
		"an entry twice":               {entry(a), entry(a)},
		"an entry of another account":  {entry(metadata.Entry{Key: "111122224444/us-east-1/a", Revision: 1})},
		"an entry with revision 0":     {entry(metadata.Entry{Key: scope + "a"})},
		"an entry beyond the revision": {entry(metadata.Entry{Key: scope + "a", Revision: 8})},
		"an entry cut short":           {encodeSection(typeEntries, appendEntry(nil, a)[:5])},
		"an entry after a segment":     {segment(1, 0), entry(a)},
		"data without a segment":       {data("x")},
		"too much data":                {segment(1, 1), data("xy")},
		"empty data":                   {segment(1, 1), data("")},
		"too little data":              {segment(1, 2), data("x"), segment(2, 0)},
		"a segment missing":            {segment(1, 0), segment(3, 0)},
		"a segment again":              {segment(2, 0), segment(2, 0)},
		"segment 0":                    {segment(0, 0)},
		"a segment of no length":       {segment(1, 1<<63)},
		"half a segment's section":     {encodeSection(typeSegment, []byte{1})},
		"a second header":              {encodeSection(typeHeader, []byte("{}"))},
		"an unknown section":           {encodeSection(9, nil)},
		"a section of type 0":          {encodeSection(0, []byte("x"))},
		"no entries in their section":  {encodeSection(typeEntries, nil)},
		"another trailer":              {encodeSection(typeTrailer, make([]byte, trailerBodySize))},
		"a section too long":           {{0xff, 0xff, 0xff, 0xff, typeData}},
	}
	for name, sections := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(bytes.NewReader(bytes.Join(append([][]byte{header}, sections...), nil)))
			if !errors.Is(err, ErrCorrupt) || strings.Contains(err.Error(), "cut short") {
				t.Errorf("reading it: %v, want ErrCorrupt, and not for being cut short", err)
			}
		})
	}
	for name, b := range map[string][]byte{
		"text":           []byte("this is no backup, it is a text"),
		"nothing":        nil,
		"later version":  append([]byte(magic), 0, 0, 0, 4),
		"version 0":      append([]byte(magic), 0, 0, 0, 0),
		"no header":      append(append([]byte(magic), 0, 0, 0, 2), entry(a)...),
		"an old header":  append(append([]byte(magic), 0, 0, 0, 2), golden(t, "testdata/v1.backup")[preludeSize:]...),
		"a new header":   append(append([]byte(magic), 0, 0, 0, 1), whole[preludeSize:]...),
		"a bad header":   append(append([]byte(magic), 0, 0, 0, 2), encodeSection(typeHeader, []byte(`{"account":"1"}`))...),
		"bytes after it": append(encode(t, sample()), 0),
	} {
		if _, _, err := read(bytes.NewReader(b)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}

// TestHeaderHasOneEncoding alters the text of a header that is good.
func TestHeaderHasOneEncoding(t *testing.T) {
	good, err := sample().Header.encode()
	if err != nil {
		t.Fatal(err)
	}
	v1 := golden(t, filepath.Join("testdata", "v1.backup"))[preludeSize:]
	v1 = v1[frameSize:][:binary.BigEndian.Uint32(v1)]
	tests := map[string]struct{ old, new string }{
		"as it is":               {"", ""},
		"a member less":          {`"revision":7,`, ``},
		"a member more":          {`{`, `{"more":1,`},
		"a member twice":         {`{`, `{"revision":1,`},
		"a member in capitals":   {`"revision"`, `"Revision"`},
		"white space":            {`{`, `{ `},
		"text behind it":         {`}`, `}{}`},
		"a time of another zone": {`2026-11-23T10:00:00.123456Z`, `2026-11-23T11:00:00.123456+01:00`},
		"no account":             {`111122223333`, `1`},
		"no service":             {`v0.3.0`, ``},
		"a long service":         {`v0.3.0`, strings.Repeat("v", 129)},
		"a service of control":   {`v0.3.0`, `\u001b[2J`},
		"the last revision":      {`"revision":7`, `"revision":18446744073709551615`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for version, header := range map[uint32][]byte{firstVersion: v1, FormatVersion: good} {
				body := strings.Replace(string(header), test.old, test.new, 1)
				if _, err := decodeHeader(version, []byte(body)); errors.Is(err, ErrCorrupt) != (test.old != "") {
					t.Errorf("version %d, %s: %v", version, body, err)
				}
			}
		})
	}
	for regions, want := range map[int]bool{0: false, 1: true, maxRegions: true, maxRegions + 1: false} {
		h := sample().Header
		h.Regions = slices.Repeat([]string{"us-east-1"}, regions)
		if _, err := h.encode(); (err == nil) != want {
			t.Errorf("%d Regions: %v", regions, err)
		}
	}
}

// TestSourceFails tells a source that fails from a backup that is bad.
func TestSourceFails(t *testing.T) {
	whole, broken := encode(t, sample()), errors.New("the disk said no")
	for size := range len(whole) + 1 {
		source := io.MultiReader(bytes.NewReader(whole[:size]), iotest.ErrReader(broken))
		if _, _, err := read(source); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
			t.Fatalf("failing after %d bytes: %v", size, err)
		}
	}
}

// TestWriterRefuses has what a Reader would refuse not be written.
func TestWriterRefuses(t *testing.T) {
	good := sample()
	tests := map[string]func(*Writer) error{
		"an entry out of order": func(a *Writer) error { return errors.Join(a.Entry(good.Entries[1]), a.Entry(good.Entries[0])) },
		"a value too long": func(a *Writer) error {
			return a.Entry(metadata.Entry{Key: scope + "a", Revision: 1, Value: make([]byte, metadata.MaxValueSize+1)})
		},
		"segment 0": func(a *Writer) error { return a.Segment(Segment{}, strings.NewReader("")) },
		"a segment missing": func(a *Writer) error {
			return errors.Join(a.Segment(Segment{Number: 2}, strings.NewReader("")), a.Segment(Segment{Number: 4}, strings.NewReader("")))
		},
		"a segment too short": func(a *Writer) error { return a.Segment(Segment{Number: 1, Length: 2}, strings.NewReader("x")) },
		"after the end": func(a *Writer) error {
			_, err := a.Close()
			return errors.Join(err, a.Entry(good.Entries[0]))
		},
	}
	for name, use := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := NewWriter(io.Discard, good.Header)
			if err != nil {
				t.Fatal(err)
			}
			if err := use(a); err == nil {
				t.Error("it was written")
			}
			if _, err := a.Close(); err == nil {
				t.Error("a backup with a fault was closed")
			}
		})
	}
	if _, err := NewWriter(io.Discard, Header{Account: "1"}); err == nil {
		t.Error("a backup of no account was begun")
	}
}

// TestFullDisk fails the writer after each number of bytes.
func TestFullDisk(t *testing.T) {
	whole := encode(t, sample())
	for room := range whole {
		if err := write(&limited{room: room}, sample()); !errors.Is(err, errFull) {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
	}
}

var errFull = errors.New("no space left")

type limited struct{ room int }

func (l *limited) Write(b []byte) (int, error) {
	if l.room -= len(b); l.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// TestSkippedSegments leaves the segments' bytes unread; they are checked all the same.
func TestSkippedSegments(t *testing.T) {
	whole := encode(t, large())
	for at, want := range map[int]error{len(whole): nil, len(whole) / 2: ErrCorrupt} {
		damaged := bytes.Clone(whole)
		if at < len(whole) {
			damaged[at] ^= 1
		}
		a, err := NewReader(bytes.NewReader(damaged))
		if err != nil {
			t.Fatal(err)
		}
		for _, failed := range a.Entries() {
			err = failed
		}
		for err == nil {
			_, _, err = a.NextSegment()
		}
		if want == nil && !errors.Is(err, io.EOF) || want != nil && !errors.Is(err, want) {
			t.Errorf("with byte %d of %d altered: %v, want %v", at, len(whole), err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	whole := encode(f, sample())
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(append([]byte(magic), 0, 0, 0, 2))
	f.Add(golden(f, filepath.Join("testdata", "v1.backup")))
	f.Add(golden(f, filepath.Join("testdata", "v2.backup")))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, _, err := read(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v, want ErrCorrupt", err)
			}
			return
		}
		if again, _, err := read(bytes.NewReader(encode(t, c))); err != nil || !cmp.Equal(c, again) {
			t.Errorf("written and read again: %v (-want +got):\n%s", err, cmp.Diff(c, again))
		}
	})
}
