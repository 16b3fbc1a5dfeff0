package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var began = time.Date(2026, 3, 2, 10, 15, 30, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// finished returns the index of a segment of so many records: of each ten one HSM entry and
// one that is of neither trail.
func finished(t testing.TB, records int) *Builder {
	t.Helper()
	b := NewBuilder([16]byte{7}, 3, 100)
	for i := range records {
		seq, kind := 100+uint64(i), Event
		at := began.Add(time.Duration(i) * time.Second)
		record := fmt.Sprintf(`{"eventTime":%q,"eventName":"Name%d","requestID":"r%d","readOnly":%v}`, at.Format(time.RFC3339), i%7, i, i%2 == 0)
		switch i % 10 {
		case 3:
			kind, record = Entry, fmt.Sprintf(`{"time":%q,"hsm":"hsm-%d","opcode":"CN_LOGIN","rv":%d}`, at.Format(time.RFC3339), i%3, i%2)
		case 7:
			kind = 1
		}
		must(t, b.Add(seq, int64(512+i*300), kind, at, []byte(record)))
	}
	b.Finish(1<<20, [32]byte{9})
	return b
}

// found returns the numbers that an index finds.
func found(t testing.TB, ix Index, q Query) (numbers []uint64) {
	t.Helper()
	for h, err := range Find(ix, q) {
		must(t, err)
		numbers = append(numbers, h.Seq)
	}
	return numbers
}

func queries() []Query {
	return []Query{
		{Kind: Event},
		{Kind: Entry},
		{Kind: Event, Newest: true, Below: 160},
		{Kind: Event, Above: 150, Below: 160},
		{Kind: Event, Terms: []Term{{EventName, "Name3"}}},
		{Kind: Event, Terms: []Term{{EventName, "Name3"}}, Newest: true},
		{Kind: Event, Terms: []Term{{EventName, "Name3"}, Flag(ReadOnly, true)}, Above: 120},
		{Kind: Event, Terms: []Term{{RequestID, "r41"}}},
		{Kind: Event, Terms: []Term{{RequestID, "nobody's"}}},
		{Kind: Event, From: began.Add(time.Minute), To: began.Add(2 * time.Minute)},
		{Kind: Event, To: began},
		{Kind: Entry, Terms: []Term{{HSM, "hsm-1"}, Flag(Failed, true)}},
		{Kind: Entry, Terms: []Term{{EventName, "Name3"}}},
	}
}

func TestAFileFindsWhatItsBuilderFinds(t *testing.T) {
	t.Parallel()
	for _, records := range []int{0, 1, 9, 256, 257, 3000} {
		b, dir := finished(t, records), t.TempDir()
		must(t, b.Write(dir))
		f, err := Open(dir, 3)
		must(t, err)
		if diff := cmp.Diff(b.Info(), f.Info()); diff != "" {
			t.Errorf("%d records (-builder +file):\n%s", records, diff)
		}
		for _, q := range queries() {
			if diff := cmp.Diff(found(t, b, q), found(t, f, q)); diff != "" {
				t.Errorf("%d records, %+v (-builder +file):\n%s", records, q, diff)
			}
		}
		f.Close()
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	b := finished(t, 40)
	tests := []struct {
		query Query
		want  []uint64
	}{
		{Query{Kind: Entry}, []uint64{103, 113, 123, 133}},
		{Query{Kind: Entry, Newest: true}, []uint64{133, 123, 113, 103}},
		{Query{Kind: Entry, Above: 103, Below: 133}, []uint64{113, 123}},
		{Query{Kind: Entry, Above: 999}, nil},
		{Query{Kind: Entry, From: began.Add(13 * time.Second), To: began.Add(33 * time.Second)}, []uint64{113, 123}},
		// No int64 has the microseconds of its beginning.
		{Query{Kind: Entry, From: time.UnixMilli(math.MinInt64 / 2000 * 3), To: began.Add(4 * time.Second)}, []uint64{103}},
		{Query{Kind: Event, Terms: []Term{{EventName, "Name6"}}}, []uint64{106, 120, 134}}, // 113 is an entry, 127 of neither trail
		{Query{Kind: Event, Terms: []Term{{EventName, "Name6"}}, Newest: true, Below: 134}, []uint64{120, 106}},
		{Query{Kind: Event, Terms: []Term{{RequestID, "r5"}}}, []uint64{105}},
		{Query{Kind: Event, Terms: []Term{{RequestID, "r3"}}}, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, found(t, b, tt.query)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.query, diff)
		}
	}
}

// TestDamageIsNoticed flips each byte of a file. What is found then is what is in the
// index, or the damage is.
func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	b, dir := finished(t, 60), t.TempDir()
	must(t, b.Write(dir))
	content, err := os.ReadFile(Path(dir, 3))
	must(t, err)
	noticed := 0
	for i := range content {
		damaged := bytes.Clone(content)
		damaged[i] ^= 1 << (i % 8)
		if findsAllOr(t, b, dir, damaged) {
			noticed++
		}
	}
	if noticed < len(content)*9/10 { // a term that no query is about may be in the rest
		t.Errorf("damage was noticed in %d of %d bytes", noticed, len(content))
	}
	for _, n := range []int{0, 1, headerSize, len(content) - 1} {
		if !findsAllOr(t, b, dir, content[:n]) {
			t.Errorf("a file cut to %d bytes was taken for an index", n)
		}
	}
	if !findsAllOr(t, b, dir, append(bytes.Clone(content), 0)) {
		t.Error("a file with a byte more was taken for an index")
	}
}

// findsAllOr says whether an index with some content was refused. If not, every query
// must have found the same as b.
func findsAllOr(t *testing.T, b *Builder, dir string, content []byte) (refused bool) {
	t.Helper()
	must(t, os.WriteFile(Path(dir, 3), content, 0o600))
	f, err := Open(dir, 3)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		return true
	}
	defer f.Close()
	qs := queries()
	for i := range 60 {
		qs = append(qs, Query{Kind: Event, Terms: []Term{{RequestID, fmt.Sprint("r", i)}}})
	}
	for _, q := range qs {
		var numbers []uint64
		for h, err := range Find(f, q) {
			if errors.Is(err, ErrDamaged) {
				return true
			}
			must(t, err)
			numbers = append(numbers, h.Seq)
		}
		if want := found(t, b, q); !slices.Equal(want, numbers) {
			t.Fatalf("a damaged index finds %v for %+v, want %v", numbers, q, want)
		}
	}
	return false
}

func TestNoFileIsNoDamage(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.TempDir(), 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTheFormatStaysAsItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, finished(t, 12).Write(dir))
	got, err := os.ReadFile(Path(dir, 3))
	must(t, err)
	golden := filepath.Join("testdata", filepath.Base(Path(dir, 3)))
	if *update {
		must(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs from what is written: is it another version?", golden)
	}
}

func TestRecordsAreTakenInOrder(t *testing.T) {
	t.Parallel()
	b := NewBuilder([16]byte{}, 1, 5)
	must(t, b.Add(5, 512, Event, began, []byte(`{}`)))
	for _, seq := range []uint64{4, 5, 7} {
		if err := b.Add(seq, 600, Event, began, []byte(`{}`)); err == nil {
			t.Errorf("record %d was taken after record 5", seq)
		}
	}
}

// read is a record, and what terms it has.
type read struct {
	name   string
	kind   Kind
	record string
	want   []Term
}

func reads() []read {
	return []read{
		{"an event", Event, `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/al\"ice","accessKeyId":"AKIA1","userName":"al\"ice"},
			"eventTime":"2026-03-02T10:15:30Z","eventSource":"kms.amazonaws.com","eventName":"Encrypt","awsRegion":"eu-1","errorCode":"NotFoundException",
			"requestParameters":{"eventName":"}]\\\"","x":[1,{"a":"]"}]},"responseElements":null,"requestID":"r","eventID":"e","readOnly":true,
			"resources":[{"accountId":"1","type":"AWS::KMS::Key","ARN":"arn:aws:kms:eu-1:1:key/k1"},{"ARN":"arn:aws:kms:eu-1:1:alias/a"}]}`,
			[]Term{
				{Principal, `arn:aws:iam::1:user/al"ice`}, {AccessKeyID, "AKIA1"}, {Principal, `al"ice`}, {UserName, `al"ice`},
				{EventSource, "kms.amazonaws.com"}, {EventName, "Encrypt"}, {Region, "eu-1"}, {ErrorCode, "NotFoundException"}, {RequestID, "r"},
				{EventID, "e"}, {ReadOnly, "true"}, {ResourceType, "AWS::KMS::Key"}, {Resource, "arn:aws:kms:eu-1:1:key/k1"}, {Resource, "k1"},
				{Resource, "arn:aws:kms:eu-1:1:alias/a"}, {Failed, "true"},
			}},
		{"an event that succeeded", Event, `{"eventTime":"2026-03-02T10:15:30Z","eventName":"","resources":[]}`, []Term{{Failed, "false"}}},
		{"an entry", Entry, `{"time":"2026-03-02T10:15:30.000000Z","hsm":"hsm-a","opcode":"CN_LOGIN","rv":0,"noReply":true,"keyLabel":"arn:aws:kms:eu-1:1:key/k1","keyID":"0a","userName":"u","requestID":"r"}`,
			[]Term{{HSM, "hsm-a"}, {Opcode, "CN_LOGIN"}, {Key, "arn:aws:kms:eu-1:1:key/k1"}, {Key, "k1"}, {Key, "0a"}, {UserName, "u"}, {RequestID, "r"}, {Failed, "true"}}},
		{"a good entry", Entry, `{"time":"2026-03-02T10:15:30Z","rv":0}`, []Term{{Failed, "false"}}},
		{"of neither trail", 3, `{"eventTime":"2026-03-02T10:15:30Z"}`, nil},
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range reads() {
		var got []Term
		at := Read(tt.kind, []byte(tt.record), func(f Field, value []byte) { got = append(got, Term{f, string(value)}) })
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if tt.want != nil && !at.Equal(began) {
			t.Errorf("%s: time %v", tt.name, at)
		}
	}
}

// TestMatch compares each record with each term of all of them.
func TestMatch(t *testing.T) {
	t.Parallel()
	var terms []Term
	for _, r := range reads() {
		terms = append(terms, r.want...)
	}
	for _, tt := range reads() {
		if matches, at := NewMatcher(tt.kind, tt.want).Match([]byte(tt.record)); !matches || tt.want != nil && !at.Equal(began) {
			t.Errorf("%s: all its terms: %v at %v", tt.name, matches, at)
		}
		for _, term := range terms {
			want := slices.Contains(tt.want, term)
			if got, _ := NewMatcher(tt.kind, []Term{term}).Match([]byte(tt.record)); got != want {
				t.Errorf("%s: %+v: %v, want %v", tt.name, term, got, want)
			}
		}
	}
}

// FuzzMembers compares with encoding/json what is found of an object's members, and
// that no bytes make it fail.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"b":[{"c":"]}\""}],"d":null}`, ` { "a" : "x\\" , "b":{} } `, `{"a`, `{"a":"`, `[1,"2",[3]]`, `{"a":1`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := make(map[string]string)
		members(b, func(name, value []byte) { got[string(name)] = string(value) })
		elements(b, func([]byte) {})
		var want map[string]json.RawMessage
		if json.Unmarshal(b, &want) != nil || bytes.ContainsRune(b, '\\') || !json.Valid(b) {
			return
		}
		for name, value := range want {
			if got[name] != string(value) && bytes.IndexFunc([]byte(name), func(r rune) bool { return r == '\uFFFD' }) < 0 {
				t.Errorf("member %q is %q, want %q", name, got[name], value)
			}
		}
	})
}

func TestHashesAreSpread(t *testing.T) {
	t.Parallel()
	buckets := make([]int, 64)
	for i := range 64 * 1000 {
		buckets[bucketOf(Term{RequestID, fmt.Sprint("request-", i)}.Hash(), 6)]++
	}
	for i, n := range buckets {
		if n < 800 || n > 1200 {
			t.Errorf("bucket %d has %d of 64000 terms", i, n)
		}
	}
}

// BenchmarkBuild makes the index of a segment of 16 MiB: of events of 100 keys and 20 callers, each with
// a requestID and an eventID of its own.
func BenchmarkBuild(b *testing.B) {
	const segment = 14_000
	var events [][]byte
	for i := range segment {
		key, user := fmt.Sprintf("arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-%012d", i%100), fmt.Sprintf("app-%d", i%20)
		events = append(events, fmt.Appendf(nil, `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"x","arn":"arn:aws:iam::000000000000:user/%s","accountId":"000000000000","userName":%q},`+
			`"eventTime":"2026-03-02T10:15:30Z","eventSource":"kms.amazonaws.com","eventName":"Encrypt","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.1","userAgent":"aws-sdk-go-v2/1.47.7",`+
			`"requestParameters":{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"service":"billing"},"keyId":%q},"responseElements":null,`+
			`"requestID":"%08x-2222-3333-4444-%012d","eventID":"%08x-2222-3333-4445-%012d","readOnly":true,"resources":[{"accountId":"000000000000","type":"AWS::KMS::Key","ARN":%q}],`+
			`"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"000000000000","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256"}}`,
			user, user, key, rand.Uint32(), i, rand.Uint32(), i, key))
	}
	b.ReportAllocs()
	for b.Loop() {
		ix := NewBuilder([16]byte{}, 1, 0)
		for i, event := range events {
			must(b, ix.Add(uint64(i), int64(1000*i), Event, began, event))
		}
		if len(ix.encode()) == 0 {
			b.Fatal("the index is empty")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*segment), "ns/event")
}
