package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-kms/strongroom/internal/daemon"
)

// staged is a staging directory with a journal and metadata.
func staged(t *testing.T, dataDir string) staging {
	t.Helper()
	s, err := newStaging(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(daemon.JournalDir(s.dir), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, daemon.MetadataFile(s.dir), "restored")
	return s
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestPublish(t *testing.T) {
	for name, dataDir := range map[string]string{"a directory that is there": t.TempDir(), "a new directory": filepath.Join(t.TempDir(), "new")} {
		t.Run(name, func(t *testing.T) {
			s := staged(t, dataDir)
			if err := s.publish(); err != nil {
				t.Fatal(err)
			}
			s.remove(t.Output())
			for _, path := range []string{daemon.JournalDir(dataDir), daemon.MetadataFile(dataDir)} {
				if _, err := os.Stat(path); err != nil {
					t.Error(err)
				}
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(s.dir), "*restore-*")); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}

// TestPublishFails has metadata appear after the directory was found to be without.
func TestPublishFails(t *testing.T) {
	dataDir := t.TempDir()
	s := staged(t, dataDir)
	writeFile(t, daemon.MetadataFile(dataDir), "of somebody else")
	if err := s.publish(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("publishing over metadata: %v", err)
	}
	if _, err := os.Stat(daemon.JournalDir(dataDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the journal of a restore that failed: %v, want it gone", err)
	}
}

// TestExchangeMetadata looks for a moment without a file while one takes the place of
// another.
func TestExchangeMetadata(t *testing.T) {
	dataDir := t.TempDir()
	file := daemon.MetadataFile(dataDir)
	if aside, err := staged(t, dataDir).exchangeMetadata(); aside != "" || err != nil {
		t.Fatalf("without former metadata: kept in %q, %v", aside, err)
	}
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 30 {
		writeFile(t, file, "former")
		aside, err := staged(t, dataDir).exchangeMetadata()
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{aside: "former", file: "restored"} {
			if got, err := os.ReadFile(path); string(got) != want || err != nil {
				t.Fatalf("%s has %q, %v, want %q", path, got, err, want)
			}
		}
	}
	close(done)
	watch.Wait()
}

// TestLeftover tells of a directory that cannot be removed, and no more than that.
func TestLeftover(t *testing.T) {
	var warnings strings.Builder
	dir := t.TempDir() + "/." // which RemoveAll refuses
	staging{dir: dir}.remove(&warnings)
	if got := warnings.String(); !strings.Contains(got, dir) || !strings.Contains(got, "warning") {
		t.Errorf("the warning is %q", got)
	}
}
