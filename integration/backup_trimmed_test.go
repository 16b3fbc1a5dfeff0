package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// A journal that retention has trimmed is backed up and restored as any other. Metadata are
// restored beside it from a backup that was made before, as long as it has all that came after
// that backup.
func TestBackupsOfATrimmedJournal(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	var all []sealed
	var backups []string
	for range 3 { // each start begins a segment
		server := start(t, site)
		s, err := seal(within(t, 10*time.Second), dial(t, site, server, harness.Admin))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		backups = append(backups, backUp(t, site, server))
		stop(t, server.Process)
	}
	trimToSegment(t, site.DataDir, 3)
	mustRun(t, nil, "audit", "verify", site.DataDir)

	_, stderr, err := strongroom(t, nil, "restore", "--metadata-only", "--data-dir", site.DataDir, backups[1])
	if err == nil || !strings.Contains(stderr, "retention has removed") {
		t.Errorf("metadata of a backup after which records were removed: %v, %q, want it refused", err, stderr)
	}
	mustRun(t, nil, "restore", "--metadata-only", "--data-dir", site.DataDir, backups[2])
	server := start(t, site)
	expectOpens(t, dial(t, site, server, harness.Admin), all)
	trimmed := backUp(t, site, server)
	stop(t, server.Process)

	if out := mustRun(t, nil, "backup", "--verify", trimmed); !strings.Contains(out, "retention has removed") {
		t.Errorf("backup --verify does not say that the journal was trimmed:\n%s", out)
	}
	if err := os.Rename(site.DataDir, site.DataDir+".lost"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, nil, "restore", "--data-dir", site.DataDir, trimmed)
	mustRun(t, nil, "audit", "verify", site.DataDir)
	server = start(t, site)
	expectOpens(t, dial(t, site, server, harness.Admin), all)
	stop(t, server.Process)
}

// trimToSegment removes what is before a segment of a stopped server's journal, as retention does.
func trimToSegment(t *testing.T, dataDir string, number int) {
	t.Helper()
	trail, _, err := audit.Open(audit.Options{Dir: filepath.Join(dataDir, "journal")})
	if err != nil {
		t.Fatal(err)
	}
	trimmed, err := trail.Trim(t.Context(), trail.Segments()[number-1].First)
	if err != nil || trimmed.Segments != number-1 {
		t.Errorf("trimmed %+v, %v", trimmed, err)
	}
	if err := trail.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
