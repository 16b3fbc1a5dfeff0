package cloudtrail

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// grove is a tree of digests and log files of two Regions: digest i of a Region, from
// 1 on, ends i hours after at and stands for the records 10*i-9 to 10*i. It names one
// log file, with two of them.
type grove struct {
	t     *testing.T
	key   *rsa.PrivateKey
	files fstest.MapFS
	last  map[string]SignedDigest
}

const perRegion = 4

func newGrove(t *testing.T) *grove {
	g := &grove{t: t, key: signingKey(t), files: fstest.MapFS{}, last: make(map[string]SignedDigest)}
	for i := range perRegion {
		g.grow("us-east-1", i+1)
		g.grow("eu-west-1", i+1)
	}
	g.files[names.PublicKeys()] = &fstest.MapFile{Data: []byte("{}")}
	g.files[".strongroom/state.json"] = &fstest.MapFile{Data: []byte("{}")}
	return g
}

func digestName(region string, i int) string {
	return names.Digest(region, at.Add(time.Duration(i)*time.Hour))
}

func logName(region string, i int) string {
	return names.LogFile(region, at.Add(time.Duration(i)*time.Hour-time.Minute), fmt.Sprintf("ABCDEFGHIJKLMNO%d", i))
}

func hashAt(i int) journal.Hash { return journal.Hash{byte(i)} }

func (g *grove) grow(region string, i int) {
	first := uint64(10*i - 9)
	g.sign(region, g.next(region, i, Range{journalID, first, first + 9, hashAt(i).String()}))
}

// next makes the digest that follows the last one of a Region, and its log file.
func (g *grove) next(region string, i int, r Range) *Digest {
	end := at.Add(time.Duration(i) * time.Hour)
	d := &Digest{
		Account: names.Account, Start: end.Add(-time.Hour), End: end, Bucket: "a-bucket", Object: digestName(region, i),
		Fingerprint: Fingerprint(publicDER(g.key)), Journal: r,
	}
	if p, ok := g.last[region]; ok {
		d.Previous = &Previous{p.Bucket, p.Object, HashValue(p.Content), p.Signature}
	}
	var log bytes.Buffer
	w, err := NewLogWriter(&log)
	must(g.t, err)
	must(g.t, w.Add(fmt.Appendf(nil, `{"eventID":"%s %d"}`, region, i)))
	must(g.t, w.Add([]byte(`{}`)))
	must(g.t, w.Close())
	d.LogFiles = []LogFile{{
		Bucket: "a-bucket", Object: logName(region, i), HashValue: w.HashValue(), HashAlgorithm: HashAlgorithm, Newest: end, Oldest: end,
		Journal: LogRecords{journalID, r.First + 2, r.First + 5, 2},
	}}
	g.files[logName(region, i)] = &fstest.MapFile{Data: log.Bytes()}
	return d
}

func (g *grove) sign(region string, d *Digest) {
	content, err := d.Encode()
	must(g.t, err)
	signature := sign(g.t, g.key, d.SigningString(content))
	g.put(d.Object, content, signature)
	g.last[region] = SignedDigest{d, content, signature}
}

func (g *grove) put(name string, content []byte, signature string) {
	file, err := Compress(content)
	must(g.t, err)
	g.files[name] = &fstest.MapFile{Data: file}
	g.files[name+SignatureSuffix] = &fstest.MapFile{Data: SignatureFile(signature)}
}

func (g *grove) move(from, to string) {
	g.files[to] = g.files[from]
	if s, ok := g.files[from+SignatureSuffix]; ok {
		g.files[to+SignatureSuffix] = s
	}
}

func (g *grove) remove(names ...string) {
	for _, name := range names {
		delete(g.files, name)
		delete(g.files, name+SignatureSuffix)
	}
}

// edit changes what is in a compressed file.
func (g *grove) edit(name, from, to string) {
	content := gunzip(g.t, g.files[name].Data)
	changed := bytes.Replace(content, []byte(from), []byte(to), 1)
	if bytes.Equal(content, changed) {
		g.t.Fatalf("%s has no %q", name, from)
	}
	file, err := Compress(changed)
	must(g.t, err)
	g.files[name] = &fstest.MapFile{Data: file}
}

func (g *grove) check(opts CheckOptions) (Report, error) {
	keys, err := NewKeys(publicDER(signingKey(g.t)))
	must(g.t, err)
	return Check(g.t.Context(), g.files, keys, opts)
}

func TestCheckOfATreeAsItWasWritten(t *testing.T) {
	t.Parallel()
	g := newGrove(t)
	uncovered := names.LogFile("us-east-1", at.Add(5*time.Hour), "ABCDEFGHIJKLMNOP")
	g.files[uncovered] = &fstest.MapFile{Data: []byte("the next digest's")}
	report, err := g.check(CheckOptions{Pins: []Pin{
		{Region: "us-east-1", Sequence: 20, Hash: hashAt(2)}, {Sequence: 40, Hash: hashAt(4)},
	}})
	must(t, err)
	got := []string{fmt.Sprint(report.LogFiles, report.Unnamed)}
	for _, c := range report.Chains {
		got = append(got, fmt.Sprint(c.Account, c.Region, len(c.Digests), c.Newest().Journal))
	}
	want := []string{
		fmt.Sprint(8, []string{uncovered}),
		fmt.Sprint("123456789012", "eu-west-1", 4, Range{journalID, 31, 40, hashAt(4).String()}),
		fmt.Sprint("123456789012", "us-east-1", 4, Range{journalID, 31, 40, hashAt(4).String()}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckSeesTampering(t *testing.T) {
	t.Parallel()
	const region = "us-east-1"
	second, third, newest := digestName(region, 2), digestName(region, 3), digestName(region, perRegion)
	later := digestName(region, perRegion+1)
	for _, c := range []struct {
		name   string
		tamper func(*grove)
		opts   CheckOptions
		// the first problem: its file, its record and a part of its reason
		file   string
		record uint64
		reason string
	}{
		{name: "a log file altered", tamper: func(g *grove) { g.edit(logName(region, 2), "us-east-1 2", "us-east-1 3") },
			file: logName(region, 2), record: 13, reason: "its hash is"},
		{name: "a bit of a compressed log file flipped", tamper: func(g *grove) {
			f := slices.Clone(g.files[logName(region, 2)].Data)
			f[len(f)/2] ^= 1
			g.files[logName(region, 2)] = &fstest.MapFile{Data: f}
		}, file: logName(region, 2), record: 13, reason: "altered"},
		{name: "a log file cut short", tamper: func(g *grove) {
			g.files[logName(region, 2)] = &fstest.MapFile{Data: g.files[logName(region, 2)].Data[:20]}
		}, file: logName(region, 2), record: 13, reason: "unexpected EOF"},
		{name: "something behind a log file", tamper: func(g *grove) {
			data := g.files[logName(region, 2)].Data
			g.files[logName(region, 2)] = &fstest.MapFile{Data: append(slices.Clone(data), data...)}
		}, file: logName(region, 2), record: 13, reason: "follows"},
		{name: "a log file missing", tamper: func(g *grove) { g.remove(logName(region, 2)) },
			file: logName(region, 2), record: 13, reason: "it has 2 of the records 13 to 16"},
		{name: "two log files swapped", tamper: func(g *grove) {
			g.files[logName(region, 2)], g.files[logName(region, 3)] = g.files[logName(region, 3)], g.files[logName(region, 2)]
		}, file: logName(region, 2), record: 13, reason: "its hash is"},
		{name: "a digest edited", tamper: func(g *grove) { g.edit(second, `"records":2`, `"records":3`) },
			file: second, record: 11, reason: "does not verify"},
		{name: "a digest that is no digest", tamper: func(g *grove) { g.edit(second, `{"awsAccountId"`, `["awsAccountId"`) },
			file: second, record: 11, reason: "decoding"},
		{name: "a signature edited", tamper: func(g *grove) {
			f := slices.Clone(g.files[second+SignatureSuffix].Data)
			f[0] ^= 1
			g.files[second+SignatureSuffix] = &fstest.MapFile{Data: f}
		}, file: second, record: 11, reason: "does not verify"},
		{name: "a signature missing", tamper: func(g *grove) { delete(g.files, second+SignatureSuffix) },
			file: second, record: 11, reason: "reading the signature"},
		{name: "a digest missing in the middle", tamper: func(g *grove) { g.remove(second) },
			file: second, record: 11, reason: "is missing"},
		{name: "two missing", tamper: func(g *grove) { g.remove(second, third) },
			file: third, record: 11, reason: "is missing"},
		{name: "the first one missing", tamper: func(g *grove) { g.remove(digestName(region, 1)) },
			file: digestName(region, 1), record: 1, reason: "is missing"},
		{name: "two digests swapped", tamper: func(g *grove) {
			g.move(second, "x")
			g.move(third, second)
			g.move("x", third)
			g.remove("x")
		}, file: second, record: 11, reason: "it was moved"},
		{name: "a digest replaced by an older one", tamper: func(g *grove) { g.move(second, third) },
			file: third, record: 21, reason: "it was moved"},
		{name: "an old digest as the newest", tamper: func(g *grove) { g.move(second, later) },
			file: later, record: 41, reason: "it was moved"},
		{name: "another Region's digest", tamper: func(g *grove) { g.move(digestName("eu-west-1", 2), second) },
			file: second, record: 11, reason: "it was moved"},
		{name: "a digest forged with another key", tamper: func(g *grove) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			must(g.t, err)
			g.key = key
			g.grow(region, perRegion+1)
		}, file: later, record: 41, reason: "a key that is not known"},
		{name: "a digest forged with another key that names the right one", tamper: func(g *grove) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			must(g.t, err)
			d := g.next(region, perRegion+1, Range{journalID, 41, 50, hashAt(5).String()})
			g.key = key
			g.sign(region, d)
		}, file: later, record: 41, reason: "does not verify"},
		{name: "a chain signed anew beside the old one", tamper: func(g *grove) {
			delete(g.last, region)
			g.grow(region, perRegion+1)
		}, file: later, record: 41, reason: "begins a new chain"},
		{name: "a digest that no other leads to", tamper: func(g *grove) {
			g.last = map[string]SignedDigest{region: g.read(third)}
			g.grow(region, perRegion+1)
		}, file: newest, record: 31, reason: "no later digest leads to this one"},
		{name: "a digest signed again with another content", tamper: func(g *grove) {
			g.last = map[string]SignedDigest{region: g.read(second)}
			g.sign(region, g.next(region, 3, Range{journalID, 21, 30, hashAt(9).String()}))
		}, file: third, record: 21, reason: "another than the next one followed"},
		{name: "records between two digests", tamper: func(g *grove) {
			g.sign(region, g.next(region, perRegion+1, Range{journalID, 43, 50, hashAt(5).String()}))
		}, file: later, record: 41, reason: "no digest stands for the records 41 to 42"},
		{name: "records in two digests", tamper: func(g *grove) {
			g.sign(region, g.next(region, perRegion+1, Range{journalID, 39, 50, hashAt(5).String()}))
		}, file: later, record: 39, reason: "records 39 to 40 again"},
		{name: "no records, another hash", tamper: func(g *grove) {
			g.sign(region, g.next(region, perRegion+1, Range{journalID, 41, 40, hashAt(5).String()}))
		}, file: later, record: 40, reason: "different hashes"},
		{name: "time between two digests", tamper: func(g *grove) { g.grow(region, perRegion+2) },
			file: digestName(region, perRegion+2), record: 51, reason: "starts at"},
		{name: "rolled back", tamper: func(g *grove) { g.remove(newest, logName(region, perRegion)) },
			opts: CheckOptions{Pins: []Pin{{Sequence: 40, Hash: hashAt(4)}}},
			file: third, record: 31, reason: "rolled back"},
		{name: "another digest than was pinned", opts: CheckOptions{Pins: []Pin{{Region: region, Sequence: 20, Hash: hashAt(7)}}},
			file: second, record: 11, reason: "was pinned"},
		{name: "no digest where one was pinned", opts: CheckOptions{Pins: []Pin{{Region: region, Sequence: 25, Hash: hashAt(2)}}},
			file: newest, record: 1, reason: "no digest ends with record 25"},
		{name: "a Region missing", opts: CheckOptions{Pins: []Pin{{Region: "eu-central-1", Sequence: 20, Hash: hashAt(2)}}},
			file: ".", record: 1, reason: "no digest of Region eu-central-1"},
		{name: "nothing left", tamper: func(g *grove) { clear(g.files) }, file: ".", record: 1, reason: "no digest"},
		{name: "the first of what is looked at missing", tamper: func(g *grove) { g.remove(second) },
			opts: CheckOptions{Since: at.Add(90 * time.Minute)}, file: second, record: 1, reason: "is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGrove(t)
			if c.tamper != nil {
				c.tamper(g)
			}
			_, err := g.check(c.opts)
			invalid := (*Invalid)(nil)
			if !errors.As(err, &invalid) {
				t.Fatalf("check: %v", err)
			}
			p := invalid.Problems[0]
			if p.File != c.file || p.Sequence != c.record || !strings.Contains(p.Reason, c.reason) {
				t.Errorf("found: %v\nwant %s, from record %d on: %s", err, c.file, c.record, c.reason)
			}
		})
	}
}

func (g *grove) read(name string) SignedDigest {
	d, err := ReadDigest(g.files, name)
	must(g.t, err)
	return d
}

func TestCheckOfWhatWasKept(t *testing.T) {
	t.Parallel()
	g := newGrove(t)
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		g.remove(digestName(region, 1), logName(region, 1), digestName(region, 2))
	}
	report, err := g.check(CheckOptions{Since: at.Add(150 * time.Minute)})
	must(t, err)
	if report.LogFiles != 4 || len(report.Unnamed) != 0 || len(report.Chains[0].Digests) != 2 {
		t.Errorf("report: %+v", report)
	}
}

func TestCheckGoesOnWithAnotherKeyAndAnotherJournal(t *testing.T) {
	t.Parallel()
	g := newGrove(t)
	old := g.key
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	g.key = key
	g.grow("us-east-1", 5)
	g.sign("us-east-1", g.next("us-east-1", 6, Range{strings.Repeat("f", 32), 1, 3, hashAt(6).String()}))
	keys, err := NewKeys(publicDER(old), publicDER(key))
	must(t, err)
	report, err := Check(t.Context(), g.files, keys, CheckOptions{})
	must(t, err)
	if n := len(report.Chains[1].Digests); n != 6 {
		t.Errorf("%d digests, want 6", n)
	}
}

func TestCheckFindsEverything(t *testing.T) {
	t.Parallel()
	g := newGrove(t)
	g.remove(logName("us-east-1", 1), digestName("us-east-1", 3))
	g.edit(logName("eu-west-1", 3), "eu", "EU")
	_, err := g.check(CheckOptions{})
	invalid := (*Invalid)(nil)
	if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "(and 2 more)") {
		t.Fatalf("check: %v", err)
	}
	var found []string
	for _, p := range invalid.Problems {
		found = append(found, fmt.Sprint(p.Sequence, " ", p.File))
	}
	want := []string{"3 " + logName("us-east-1", 1), "21 " + digestName("us-east-1", 3), "23 " + logName("eu-west-1", 3)}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckIsStopped(t *testing.T) {
	t.Parallel()
	g := newGrove(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, g.files, nil, CheckOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("check: %v", err)
	}
}

func TestNewestDigests(t *testing.T) {
	t.Parallel()
	g := newGrove(t)
	g.files[names.join("CloudTrail-Digest", "us-east-1", "2026", "03", "09", "x")] = &fstest.MapFile{}
	newest, err := NewestDigests(g.files, names)
	must(t, err)
	want := map[string]string{"us-east-1": digestName("us-east-1", perRegion), "eu-west-1": digestName("eu-west-1", perRegion)}
	if !maps.Equal(newest, want) {
		t.Errorf("newest: %v", newest)
	}
	if none, err := NewestDigests(fstest.MapFS{}, names); err != nil || len(none) > 0 {
		t.Errorf("of an empty tree: %v, %v", none, err)
	}
}
