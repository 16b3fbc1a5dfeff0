package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit/filter"
	"github.com/strongroom-kms/strongroom/audit/index"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

const testKeyARN = "arn:aws:kms:us-east-1:000000000000:key/"

// pick returns one of the choices.
func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// anyEvent returns an event whose members have few values each, so that searches find some.
func anyEvent(r *rand.Rand, n int) *APIEvent {
	e := event(fmt.Sprint("request-", n))
	e.EventTime = at.Add(time.Duration(n)*time.Second - time.Duration(r.IntN(20))*time.Second)
	e.EventName = pick(r, "Encrypt", "Decrypt", "CreateKey", "ScheduleKeyDeletion")
	e.UserIdentity = UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::1:user/" + pick(r, "alice", "bob"), UserName: pick(r, "alice", "")}
	e.ErrorCode = pick(r, "", "", "AccessDeniedException", "NotFoundException")
	e.ReadOnly = r.IntN(2) == 0
	for range r.IntN(3) {
		e.Resources = append(e.Resources, Resource{Type: ResourceTypeKey, ARN: testKeyARN + pick(r, "k1", "k2", "k3")})
	}
	e.RequestParameters = fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", r.IntN(20<<10)))
	return e
}

// recordSome records events and HSM entries from number from on.
func recordSome(t *testing.T, trail *Trail, r *rand.Rand, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		if r.IntN(4) == 0 {
			c := HSMCommand{Function: pick(r, "C_Login", "C_GenerateKey"), Time: at.Add(time.Duration(i) * time.Second), RV: pick[uint64](r, 0, 160), KeyLabel: pick(r, "", testKeyARN+"k1")}
			must(t, trail.QueueHSM(pick(r, "hsm-a", "hsm-b"), c))
			must(t, trail.FlushHSM(t.Context()))
			continue
		}
		must(t, trail.RecordEvent(t.Context(), anyEvent(r, i)))
	}
}

// seen is what the searches of these tests are about, read by encoding/json.
type seen struct {
	EventTime, Time      time.Time
	EventName, RequestID string
	ErrorCode            string
	ReadOnly             bool
	UserIdentity         struct{ ARN, UserName string }
	Resources            []struct{ ARN string }
	HSM, Opcode          string
	KeyLabel             string
	RV                   uint64
}

// has is what a term means, said once more.
func (s seen) has(kind RecordKind, term index.Term) bool {
	switch term.Field {
	case index.EventName:
		return s.EventName == term.Value
	case index.RequestID:
		return s.RequestID == term.Value
	case index.ErrorCode:
		return s.ErrorCode == term.Value
	case index.Failed:
		return fmt.Sprint(s.ErrorCode != "" || s.RV != 0) == term.Value
	case index.ReadOnly:
		return kind == RecordEvent && fmt.Sprint(s.ReadOnly) == term.Value
	case index.Principal:
		return s.UserIdentity.ARN == term.Value || s.UserIdentity.UserName == term.Value
	case index.Resource:
		return slices.ContainsFunc(s.Resources, func(r struct{ ARN string }) bool { return r.ARN == term.Value || r.ARN == testKeyARN+term.Value })
	case index.HSM:
		return s.HSM == term.Value
	case index.Opcode:
		return s.Opcode == term.Value
	case index.Key:
		return s.KeyLabel != "" && (s.KeyLabel == term.Value || s.KeyLabel == testKeyARN+term.Value)
	}
	return false
}

// numbered is a record as these tests read it.
type numbered struct {
	seq  uint64
	kind RecordKind
	seen
}

func everyRecord(t *testing.T, trail *Trail) (all []numbered) {
	t.Helper()
	for r, err := range trail.Records(t.Context(), 0, false) {
		must(t, err)
		n := numbered{seq: r.Seq, kind: r.Kind}
		must(t, json.Unmarshal(r.JSON, &n.seen))
		all = append(all, n)
	}
	return all
}

// naive finds what a search is to find.
func naive(all []numbered, s Search, filter func(seen) bool) (numbers []uint64) {
	for _, r := range all {
		when := r.EventTime
		if s.Kind == RecordHSMEntry {
			when = r.Time
		}
		lacks := slices.ContainsFunc(s.Terms, func(term index.Term) bool { return !r.has(s.Kind, term) })
		if r.kind == s.Kind && !lacks && !when.Before(s.From) && (s.To.IsZero() || when.Before(s.To)) && (filter == nil || filter(r.seen)) {
			numbers = append(numbers, r.seq)
		}
	}
	if s.Newest {
		slices.Reverse(numbers)
	}
	return numbers
}

// searched returns the numbers of all that a search finds, page by page.
func searched(t *testing.T, trail *Trail, s Search) (numbers []uint64) {
	t.Helper()
	for {
		page, err := trail.Search(t.Context(), s)
		must(t, err)
		if len(page.Records) > s.Limit {
			t.Fatalf("%d records on a page of %d", len(page.Records), s.Limit)
		}
		for _, r := range page.Records {
			numbers = append(numbers, r.Seq)
		}
		if page.Next == 0 {
			return numbers
		}
		s.After = page.Next
	}
}

// condition is a CEL condition and what it means.
type condition struct {
	kind RecordKind
	text string
	mean func(seen) bool
}

func conditions() []condition {
	return []condition{
		{RecordEvent, `event.eventName == "ScheduleKeyDeletion"`, func(s seen) bool { return s.EventName == "ScheduleKeyDeletion" }},
		{RecordEvent, `event.eventName.startsWith("E") && event.userIdentity.arn == "arn:aws:iam::1:user/bob"`, func(s seen) bool { return s.EventName == "Encrypt" && s.UserIdentity.ARN == "arn:aws:iam::1:user/bob" }},
		{RecordEvent, `!event.readOnly && has(event.errorCode)`, func(s seen) bool { return !s.ReadOnly && s.ErrorCode != "" }},
		{RecordEvent, `event.errorCode == "NotFoundException" || event.eventName == "CreateKey"`, func(s seen) bool { return s.ErrorCode == "NotFoundException" || s.EventName == "CreateKey" }},
		{RecordEvent, `event.resources[0].ARN.endsWith("k2")`, func(s seen) bool { return len(s.Resources) > 0 && s.Resources[0].ARN == testKeyARN+"k2" }},
		{RecordHSMEntry, `entry.rv == 160 && entry.hsm == "hsm-b"`, func(s seen) bool { return s.RV == 160 && s.HSM == "hsm-b" }},
	}
}

// anySearch returns a search and what its filter means; nil if it has none.
func anySearch(t *testing.T, r *rand.Rand, n int) (Search, func(seen) bool) {
	t.Helper()
	s := Search{Kind: pick(r, RecordEvent, RecordEvent, RecordHSMEntry), Newest: r.IntN(2) == 0, Limit: 1 + r.IntN(100)}
	choices := []index.Term{
		{Field: index.EventName, Value: "Encrypt"}, {Field: index.EventName, Value: "DeleteKey"}, {Field: index.ErrorCode, Value: "NotFoundException"},
		{Field: index.Principal, Value: "alice"}, {Field: index.Principal, Value: "arn:aws:iam::1:user/bob"}, {Field: index.Resource, Value: "k2"},
		{Field: index.Resource, Value: testKeyARN + "k3"}, {Field: index.RequestID, Value: fmt.Sprint("request-", r.IntN(n))},
		index.Flag(index.Failed, true), index.Flag(index.Failed, false), index.Flag(index.ReadOnly, false),
		{Field: index.HSM, Value: "hsm-a"}, {Field: index.Opcode, Value: "CN_GENERATE_KEY"}, {Field: index.Key, Value: "k1"},
	}
	for range r.IntN(3) {
		s.Terms = append(s.Terms, pick(r, choices...))
	}
	if r.IntN(2) == 0 {
		s.From = at.Add(time.Duration(r.IntN(n)) * time.Second)
	}
	if r.IntN(2) == 0 {
		s.To = at.Add(time.Duration(r.IntN(n)) * time.Second)
	}
	if r.IntN(3) > 0 {
		return s, nil
	}
	c := pick(r, conditions()...)
	f, err := filter.Compile(index.Kind(c.kind), c.text)
	must(t, err)
	s.Kind, s.Filter = c.kind, f
	return s, c.mean
}

// searchesAgree compares some searches with a look at every record.
func searchesAgree(t *testing.T, trail *Trail, r *rand.Rand, searches, records int) {
	t.Helper()
	all := everyRecord(t, trail)
	for range searches {
		s, mean := anySearch(t, r, records)
		if diff := gocmp.Diff(naive(all, s, mean), searched(t, trail, s)); diff != "" {
			t.Fatalf("%+v (-naive +search):\n%s", s, diff)
		}
	}
}

// eventually waits until something that goroutines bring about is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// indexed waits until all segments but the newest have their files.
func indexed(t *testing.T, trail *Trail) {
	t.Helper()
	eventually(t, "every segment has an index", func() bool { return trail.IndexLag() == 0 && trail.indexes.unfiled() == 0 })
}

func indexFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "index", "*"))
	must(t, err)
	return files
}

func TestASearchFindsWhatALookAtEveryRecordFinds(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	trail := mustOpen(t, filepath.Join(dir, "journal"))
	const n = 500
	recordSome(t, trail, r, 0, n/2)
	searchesAgree(t, trail, r, 20, n)
	indexed(t, trail)
	searchesAgree(t, trail, r, 20, n)
	must(t, trail.Close(context.Background()))

	trail = mustOpen(t, filepath.Join(dir, "journal"))
	recordSome(t, trail, r, n/2, n/2)
	searchesAgree(t, trail, r, 60, n)
	if files := indexFiles(t, dir); len(files) < 4 {
		t.Errorf("only %d index files: the searches are too easy", len(files))
	}
}

// TestLostAndDamagedIndexesAreMadeAgain does to the files of an index what may
// happen to them, while the trail is open and while it is not.
func TestLostAndDamagedIndexesAreMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	trail := mustOpen(t, path)
	const n = 150
	r := rand.New(rand.NewPCG(1, 2))
	recordSome(t, trail, r, 0, n)
	indexed(t, trail)

	other := mustOpen(t, filepath.Join(dir, "other", "journal"))
	recordSome(t, other, r, 0, n)
	indexed(t, other)

	edit := func(change func([]byte) []byte) func(string) {
		return func(file string) {
			b, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(file, change(b), 0o600))
		}
	}
	harms := []struct {
		name string
		do   func(file string)
	}{
		{"lost", func(file string) { must(t, os.Remove(file)) }},
		{"emptied", edit(func(b []byte) []byte { return nil })},
		{"truncated", edit(func(b []byte) []byte { return b[:len(b)*2/3] })},
		{"zeroed", edit(func(b []byte) []byte { return make([]byte, len(b)) })},
		{"zeroed behind the header", edit(func(b []byte) []byte { clear(b[160:]); return b })},
		{"a bit of the header", edit(func(b []byte) []byte { b[40] ^= 4; return b })},
		{"bits everywhere", edit(func(b []byte) []byte {
			for i := 200; i < len(b); i += 97 {
				b[i] ^= 1
			}
			return b
		})},
		{"another version", edit(func(b []byte) []byte { b[8]++; return b })},
		{"another journal's", func(file string) {
			b, err := os.ReadFile(filepath.Join(dir, "other", "index", "00000000000000000001.index"))
			must(t, err)
			must(t, os.WriteFile(file, b, 0o600))
		}},
		{"half written", func(file string) { must(t, os.Rename(file, file+".tmp")) }},
	}
	for _, open := range []bool{true, false} {
		for _, harm := range harms {
			if !open {
				must(t, trail.Close(context.Background()))
			}
			for _, file := range indexFiles(t, dir) {
				harm.do(file)
			}
			if !open {
				trail = mustOpen(t, path)
			}
			t.Run(fmt.Sprintf("%s, open %v", harm.name, open), func(t *testing.T) { searchesAgree(t, trail, r, 4, n) })
			everySegment := Search{Kind: RecordEvent, Limit: 1000, Terms: []index.Term{index.Flag(index.Failed, true), index.Flag(index.ReadOnly, true), {Field: index.Resource, Value: "k1"}}}
			searched(t, trail, everySegment)
			indexed(t, trail)
		}
	}
	for _, file := range indexFiles(t, dir) {
		number, ok := index.Number(filepath.Base(file))
		if !ok {
			t.Errorf("%s is left", file)
			continue
		}
		f, err := index.Open(filepath.Dir(file), number)
		must(t, err)
		f.Close()
	}
}

// TestAnIndexOfAnotherPastIsNotUsed opens a journal from which the end was taken, and which then went
// on with other records, beside the indexes of what it had been.
func TestAnIndexOfAnotherPastIsNotUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "journal"), filepath.Join(dir, "copied")
	trail := mustOpen(t, path)
	must(t, trail.RecordEvent(t.Context(), event("both")))
	must(t, trail.Close(context.Background()))
	must(t, os.CopyFS(copied, os.DirFS(path)))
	for _, id := range []string{"one", "other"} {
		trail = mustOpen(t, path) // each begins segment 2
		must(t, trail.RecordEvent(t.Context(), event(id)))
		must(t, trail.Close(context.Background()))
		trail = mustOpen(t, path)
		indexed(t, trail)
		for _, want := range []string{"one", "other"} {
			got := searched(t, trail, Search{Kind: RecordEvent, Limit: 9, Terms: []index.Term{{Field: index.RequestID, Value: want}}})
			if (len(got) == 1) != (want == id) {
				t.Errorf("in the journal with %q, %q is found in records %v", id, want, got)
			}
		}
		must(t, trail.Close(context.Background()))
		must(t, os.RemoveAll(path))
		must(t, os.Rename(copied, path))
		copied = filepath.Join(dir, "journal") + "-none"
		must(t, os.CopyFS(copied, os.DirFS(path)))
	}
}

func TestAnAlteredRecordIsNotAnswered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	trail := mustOpen(t, path)
	must(t, trail.RecordEvent(t.Context(), event("altered")))
	must(t, trail.Close(context.Background()))
	trail = mustOpen(t, path)
	indexed(t, trail)
	file := journal.SegmentFile(path, 1)
	b, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(strings.Replace(string(b), "CreateKey", "DeleteKey", 1)), 0o600))
	_, err = trail.Search(t.Context(), Search{Kind: RecordEvent, Limit: 1, Terms: []index.Term{{Field: index.RequestID, Value: "altered"}}})
	if c := (*journal.Corruption)(nil); !errors.As(err, &c) || c.Segment != 1 || c.Seq == 0 {
		t.Errorf("got %v", err)
	}
}

func TestPagesWhileRecordsCome(t *testing.T) {
	t.Parallel()
	trail := mustOpen(t, filepath.Join(t.TempDir(), "journal"))
	record := func(from, n int) {
		for i := from; i < from+n; i++ {
			must(t, trail.RecordEvent(t.Context(), event(fmt.Sprint(i))))
		}
	}
	for _, newest := range []bool{false, true} {
		record(0, 30)
		before := trail.Head().Seq
		s := Search{Kind: RecordEvent, Limit: 7, Newest: newest}
		want := naive(everyRecord(t, trail), s, nil)
		var got []uint64
		for {
			page, err := trail.Search(t.Context(), s)
			must(t, err)
			for _, r := range page.Records {
				if r.Seq <= before {
					got = append(got, r.Seq)
				}
			}
			if s.After = page.Next; page.Next == 0 || page.Next > before {
				break
			}
			record(100, 3)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("newest %v (-want +got):\n%s", newest, diff)
		}
	}
}

func TestASearchStopsAfterSomeWork(t *testing.T) {
	t.Parallel()
	trail := mustOpen(t, filepath.Join(t.TempDir(), "journal"))
	const n = maxWork/(1+filterWork) + 100
	entries := make([]journal.Entry, 0, 500)
	for i := range n {
		if entries = append(entries, journal.Entry{Kind: kindEvent, Body: event(fmt.Sprint(i)).AppendJSON(nil)}); len(entries) == cap(entries) || i == n-1 {
			_, err := trail.journal.Append(t.Context(), entries...)
			must(t, err)
			entries = entries[:0]
		}
	}
	never, err := filter.Compile(index.Event, `event.requestID.startsWith("no")`)
	must(t, err)
	for _, newest := range []bool{false, true} {
		s := Search{Kind: RecordEvent, Limit: 5, Filter: never, Newest: newest}
		page, err := trail.Search(t.Context(), s)
		must(t, err)
		if len(page.Records) != 0 || page.Next == 0 {
			t.Errorf("newest %v: %d records, next %d", newest, len(page.Records), page.Next)
		}
		s.After = page.Next
		if page, err = trail.Search(t.Context(), s); err != nil || len(page.Records) != 0 || page.Next != 0 {
			t.Errorf("newest %v: then %d records, next %d, error %v", newest, len(page.Records), page.Next, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := trail.Search(ctx, Search{Kind: RecordEvent, Limit: 5, Filter: never}); !errors.Is(err, context.Canceled) {
		t.Errorf("a search that nobody waits for: %v", err)
	}
}

func TestFollowWithAFilter(t *testing.T) {
	t.Parallel()
	trail := mustOpen(t, filepath.Join(t.TempDir(), "journal"))
	record := func(names ...string) {
		for _, name := range names {
			e := event(name)
			e.EventName = name
			must(t, trail.RecordEvent(t.Context(), e))
		}
	}
	record("A1", "B1", "A2", "B2", "A3")
	f, err := filter.Compile(index.Event, `event.eventName.startsWith("A")`)
	must(t, err)
	var got []string
	for r, err := range trail.Events(t.Context(), Query{Filter: f, Last: 2, Follow: true}) {
		must(t, err)
		var e struct{ EventName string }
		must(t, json.Unmarshal(r.JSON, &e))
		if got = append(got, e.EventName); len(got) == 2 {
			record("B3", "A4", "B4", "A5")
		}
		if len(got) == 4 {
			break
		}
	}
	if diff := gocmp.Diff([]string{"A2", "A3", "A4", "A5"}, got); diff != "" {
		t.Errorf("followed (-want +got):\n%s", diff)
	}
	if got := requestIDs(t, trail, Query{Terms: []index.Term{{Field: index.EventName, Value: "B2"}}}); !slices.Equal(got, []string{"B2"}) {
		t.Errorf("by a term: %v", got)
	}
	if got := requestIDs(t, trail, Query{Last: 2, From: at.Add(time.Hour)}); got != nil {
		t.Errorf("of a time without events: %v", got)
	}
}

// TestSegmentsThatVanish searches while retention removes what is searched.
func TestSegmentsThatVanish(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trail := mustOpen(t, filepath.Join(dir, "journal"))
	const n = 400
	r := rand.New(rand.NewPCG(3, 4))
	recordSome(t, trail, r, 0, n)
	indexed(t, trail)
	files := len(indexFiles(t, dir))
	s := Search{Kind: RecordEvent, Limit: 20}
	first, err := trail.Search(t.Context(), s)
	must(t, err)
	all := trail.Segments()
	_, err = trail.Trim(t.Context(), all[len(all)-2].First)
	must(t, err)

	rest := s
	rest.After = first.Next // which was removed
	left := everyRecord(t, trail)
	if diff := gocmp.Diff(naive(left, s, nil), searched(t, trail, rest)); diff != "" {
		t.Errorf("the search that was under way (-want +got):\n%s", diff)
	}
	searchesAgree(t, trail, r, 20, n)
	eventually(t, "the indexes of removed segments are removed", func() bool { return len(indexFiles(t, dir)) <= files-(len(all)-2)+1 })
	must(t, trail.Close(context.Background()))
	trail = mustOpen(t, filepath.Join(dir, "journal"))
	searchesAgree(t, trail, r, 5, n)
}

// TestIndexesThatCannotBeWritten wants what is kept of them to be bounded.
func TestIndexesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trail := mustOpen(t, filepath.Join(dir, "journal"))
	recordSome(t, trail, rand.New(rand.NewPCG(5, 6)), 0, 1000)
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	x := newIndexes(trail.journal, file, nil)
	segments := trail.Segments()
	if len(segments) < maxUnfiled+3 {
		t.Fatalf("only %d segments", len(segments))
	}
	for _, s := range segments[:len(segments)-1] {
		_, _, err := x.open(t.Context(), s, index.Query{Kind: index.Event})
		must(t, err)
		if err := x.writeAll(); err == nil || x.unfiled() > maxUnfiled {
			t.Fatalf("%d indexes are kept; writing: %v", x.unfiled(), err)
		}
	}
}

// TestAnIndexOfAPartIsNotKept has an index made of a segment that has got more since it was looked at.
func TestAnIndexOfAPartIsNotKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trail := mustOpen(t, filepath.Join(dir, "journal"))
	r := rand.New(rand.NewPCG(7, 8))
	recordSome(t, trail, r, 0, 3)
	first := uint32(trail.Head().Seq)
	x := newIndexes(trail.journal, filepath.Join(dir, "other"), nil)
	part := trail.Segments()[0]
	records := func(s journal.Segment) uint32 {
		b, _, err := x.make(t.Context(), s)
		must(t, err)
		return b.Info().Records
	}
	if n := records(part); n != first || x.unfiled() != 0 {
		t.Errorf("of the segment that is written, with %d records: %d, and %d indexes are kept", first, n, x.unfiled())
	}
	for i := 3; len(trail.Segments()) < 2; i++ {
		recordSome(t, trail, r, i, 1)
	}
	if n := records(part); n != first || x.unfiled() != 0 {
		t.Errorf("of a part with %d records: %d, and %d indexes are kept", first, n, x.unfiled())
	}
	segments := trail.Segments()
	if n := records(segments[0]); uint64(n) != segments[1].First-1 || x.unfiled() != 1 {
		t.Errorf("of the whole segment, with %d records: %d, and %d indexes are kept", segments[1].First-1, n, x.unfiled())
	}
}
