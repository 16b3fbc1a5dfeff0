package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// copied is a copy of a data directory, to be tampered with.
type copied struct {
	dataDir string
	journal []*segment
}

func (c *copied) newest() *segment { return c.journal[len(c.journal)-1] }

// copyOf copies a data directory.
func copyOf(t *testing.T, dataDir string) *copied {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(dataDir)); err != nil {
		t.Fatal(err)
	}
	return &copied{dataDir: to, journal: readJournal(t, to)}
}

func segmentName(number uint64) string { return fmt.Sprintf("%020d.journal", number) }

// TestTamperings does each tampering to a copy of a real server's data directory. Both
// verifiers find it and name the first record or file that is not as it was.
func TestTamperings(t *testing.T) {
	site := newSite(t)
	for range runs {
		serve(t, site)
	}
	expectGood(t, evidence{dataDir: site.DataDir})
	for _, tt := range journalTamperings {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := copyOf(t, site.DataDir)
			expectFound(t, evidence{dataDir: c.dataDir}, tt.do(t, c))
		})
	}
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
		return regexp.MustCompile(fmt.Sprintf(`\b(record|number) %d\b`, number))
	}
	return regexp.MustCompile(regexp.QuoteMeta(fmt.Sprint(what)))
}
