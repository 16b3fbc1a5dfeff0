package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// original is a data directory that nobody has tampered with, and what was kept of it
// elsewhere.
type original struct {
	evidence
	// older is a copy from an earlier day, and olderLast its last record.
	older     string
	olderLast uint64
}

// copied is a copy of a data directory, to be tampered with.
type copied struct {
	original
	// evidence is what the auditor gets: of the copy, and some of what was kept.
	evidence evidence
	dataDir  string
	journal  []*segment
}

func (c *copied) newest() *segment { return c.journal[len(c.journal)-1] }

// copy copies the data directory.
func (o original) copy(t *testing.T) *copied {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	must(t, os.CopyFS(to, os.DirFS(o.dataDir)))
	return &copied{original: o, evidence: evidence{dataDir: to, keys: o.keys}, dataDir: to, journal: readJournal(t, to)}
}

func segmentName(number uint64) string { return fmt.Sprintf("%020d.journal", number) }

// newOriginal has a server run a few times, with requests in two Regions.
func newOriginal(t *testing.T) original {
	t.Helper()
	site := newSite(t)
	o := original{older: filepath.Join(t.TempDir(), "older"), evidence: evidence{dataDir: site.DataDir}}
	for i := range runs {
		o.keys = serve(t, site)
		if i == 1 {
			must(t, os.CopyFS(o.older, os.DirFS(site.DataDir)))
		}
	}
	_, o.olderLast = headOf(readJournal(t, o.older))
	o.head, _ = headOf(readJournal(t, site.DataDir))
	f := &tree{t, filepath.Join(site.DataDir, "trail")}
	o.signed = f.reached(f.newest(otherRegion))
	return o
}

// TestTamperings does each tampering to a copy of a real server's data directory. Both
// verifiers find it and name the first record or file that is not as it was.
func TestTamperings(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	expectGood(t, o.evidence)
	for _, tt := range slices.Concat(journalTamperings, exportTamperings, thefts) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := o.copy(t)
			what := tt.do(t, c)
			expectFound(t, c.evidence, what)
		})
	}
}

// A thief's chain of digests, all signed anew, is good in itself. That is why the keys have to
// come from elsewhere, and both verifiers say when they did not.
func TestAForgedChainPassesWithoutKeys(t *testing.T) {
	t.Parallel()
	c := newOriginal(t).copy(t)
	c.forgeAll(t)
	c.evidence.keys = ""
	expectGood(t, c.evidence)
	for name, verify := range verifiers {
		if out, _ := verify(t, c.evidence); !regexp.MustCompile(`(?i)not checked:? +signatures`).MatchString(out) {
			t.Errorf("%s does not say that signatures show nothing:\n%s", name, out)
		}
	}
}

// A directory may be checked while its server runs.
func TestALiveDirectoryIsGood(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	serve(t, site)
	server, err := site.Start(within(t, time.Minute))
	must(t, err)
	use(t, site, server)
	e := evidence{dataDir: site.DataDir, keys: publicKeys(t, site, server)}
	if out, good := verifiers["strongroom"](t, e); !good {
		t.Errorf("beside the server:\n%s", out)
	}
	must(t, server.Stop(within(t, time.Minute)))
}

// expectGood demands that both verifiers find nothing.
func expectGood(t *testing.T, e evidence) {
	t.Helper()
	for name, verify := range verifiers {
		if out, good := verify(t, e); !good {
			t.Errorf("%s finds something where nothing is:\n%s", name, out)
		}
	}
}

// expectFound demands that both verifiers find something and name the record or the file.
func expectFound(t *testing.T, e evidence, what any) {
	t.Helper()
	for name, verify := range verifiers {
		out, good := verify(t, e)
		if good {
			t.Errorf("%s finds nothing:\n%s", name, out)
		} else if !naming(what).MatchString(out) {
			t.Errorf("%s does not name %v:\n%s", name, what, out)
		}
	}
}

// naming is what a message looks like that names a record or a file.
func naming(what any) *regexp.Regexp {
	if number, ok := what.(uint64); ok {
		return regexp.MustCompile(fmt.Sprintf(`\b(records?|number) %d\b`, number))
	}
	return regexp.MustCompile(regexp.QuoteMeta(fmt.Sprint(what)))
}
