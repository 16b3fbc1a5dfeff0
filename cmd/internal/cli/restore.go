package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	"github.com/strongroom-kms/strongroom/internal/daemon"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

type restoreCmd struct {
	File         string `arg:"" help:"The backup."`
	DataDir      string `required:"" placeholder:"DIR" help:"The data directory of the server, which must not run."`
	MetadataOnly bool   `help:"Keep the audit journal, and replace only metadata.db."`
}

// Help is part of kong's HelpProvider.
func (*restoreCmd) Help() string {
	return `Makes a data directory from a backup. All of the backup is checked before anything is put
in its place. A metadata.db or a journal that is there is not touched.

With --metadata-only the journal in the directory stays, which must be the one of the
backup, and a metadata.db is moved aside, for when it was damaged or lost. What was changed
after the backup is then not in the metadata; these changes are listed from the journal.

Afterwards, strongroom hsm orphans shows which keys token and metadata do not share.

Examples:

    strongroom restore --data-dir /var/lib/strongroom strongroom-2026-11-23.backup
    strongroom restore --metadata-only --data-dir /var/lib/strongroom strongroom-2026-11-23.backup`
}

// Run restores the backup.
func (c *restoreCmd) Run(p *Process) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	r := bufio.NewReaderSize(f, backupBuffer)
	if c.MetadataOnly {
		return c.restoreMetadata(p, r)
	}
	contents, err := restoreAll(c.DataDir, r)
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	return contents.print(p.Stdout, c.File)
}

// restoreAll makes the journal and the metadata of a data directory that has
// neither. Both are made and checked in a directory of their own, and moved.
func restoreAll(dataDir string, r io.Reader) (*backupContents, error) {
	if err := refuseUsed(dataDir); err != nil {
		return nil, err
	}
	s, err := newStaging(dataDir)
	if err != nil {
		return nil, err
	}
	contents, err := s.restore(r)
	return contents, errors.Join(err, s.remove())
}

// refuseUsed wants a directory without journal and metadata.
func refuseUsed(dataDir string) error {
	dir := daemon.JournalDir(dataDir)
	if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
		if err := unheld(dir); err != nil {
			return err
		}
		return fmt.Errorf("%s holds an audit journal already: restore into another directory, or only the metadata with --metadata-only", dir)
	}
	if file := daemon.MetadataFile(dataDir); atomicfile.Check(file, atomicfile.Create) != nil {
		return fmt.Errorf("%s exists already: restore into another directory, or move it away", file)
	}
	return nil
}

// unheld says who has the journal open, if anybody has.
func unheld(journalDir string) error {
	lock, err := journal.Lock(journalDir)
	if err != nil {
		return stopFirst(err)
	}
	return lock.Close()
}

func stopFirst(err error) error {
	if errors.Is(err, journal.ErrInUse) {
		return fmt.Errorf("stop the server first: %w", err)
	}
	return err
}

// staging is a directory inside a data directory where things are made.
type staging struct {
	dataDir, dir string
}

func newStaging(dataDir string) (staging, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return staging{}, err
	}
	if err := atomicfile.SyncDir(filepath.Dir(filepath.Clean(dataDir))); err != nil {
		return staging{}, err
	}
	dir, err := os.MkdirTemp(dataDir, "restore-*")
	return staging{dataDir: dataDir, dir: dir}, err
}

func (s staging) remove() error { return os.RemoveAll(s.dir) }

// restore makes journal and metadata and moves them into the data directory. The
// journal is locked all the while, so that no server starts on half of it.
func (s staging) restore(r io.Reader) (*backupContents, error) {
	dir := daemon.JournalDir(s.dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := journal.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close() //nolint:errcheck // it has nothing to write
	contents, err := readBackup(r, backupUse{
		entries: func(h archive.Header, entries iter.Seq2[metadata.Entry, error]) error {
			return metadata.CreateBolt(daemon.MetadataFile(s.dir), h.Revision, entries)
		},
		segment: func(segment archive.Segment) (io.WriteCloser, error) {
			return newSegmentFile(dir, segment.Number), nil
		},
	})
	if err == nil {
		err = journal.CompleteRestore(dir)
	}
	if err == nil {
		err = s.publish()
	}
	return contents, err
}

// publish moves what was made into the data directory, the metadata last: without
// it a server refuses the journal.
func (s staging) publish() error {
	if err := os.Rename(daemon.JournalDir(s.dir), daemon.JournalDir(s.dataDir)); err != nil {
		return err
	}
	return s.publishMetadata()
}

// publishMetadata gives the metadata file its name, which must be free.
func (s staging) publishMetadata() error {
	file := daemon.MetadataFile(s.dataDir)
	if err := os.Link(daemon.MetadataFile(s.dir), file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists already", file)
		}
		return err
	}
	return atomicfile.SyncDir(s.dataDir)
}

// segmentFile restores a segment from what is written to it.
type segmentFile struct {
	*io.PipeWriter
	done chan error
}

func newSegmentFile(dir string, number uint64) *segmentFile {
	r, w := io.Pipe()
	f := &segmentFile{PipeWriter: w, done: make(chan error, 1)}
	go func() {
		err := journal.RestoreSegment(dir, number, r)
		_ = r.CloseWithError(err) // a writer that goes on is told; nil is ErrClosedPipe
		f.done <- err
	}()
	return f
}

// Close ends the segment, waits until it is durable and returns why it is not.
func (f *segmentFile) Close() error {
	_ = f.PipeWriter.Close() // never fails
	return <-f.done
}
