package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/strongroom-kms/strongroom/audit/durable"
	"github.com/strongroom-kms/strongroom/internal/daemon"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// staging is a directory where things are made that are then moved into a data
// directory. If there is no data directory yet, it is to become that.
type staging struct {
	dataDir, dir string
	whole        bool // there is no data directory yet
}

// newStaging makes a directory inside the data directory, or beside it.
func newStaging(dataDir string) (s staging, err error) {
	s.dataDir = filepath.Clean(dataDir)
	parent, pattern := s.dataDir, "restore-*"
	if _, err := os.Stat(s.dataDir); errors.Is(err, fs.ErrNotExist) {
		s.whole = true
		parent, pattern = filepath.Dir(s.dataDir), filepath.Base(s.dataDir)+".restore-*"
	}
	s.dir, err = os.MkdirTemp(parent, pattern)
	return s, err
}

// remove removes what is left of the directory. That it is left does no harm.
func (s staging) remove(warnings io.Writer) {
	if err := os.RemoveAll(s.dir); err != nil {
		fmt.Fprintf(warnings, "strongroom: warning: %s is left over and should be removed: %v\n", s.dir, err)
	}
}

// createMetadata makes the metadata of a backup.
func (s staging) createMetadata(h archive.Header, entries iter.Seq2[metadata.Entry, error], r *keystore.Restoration) error {
	return metadata.CreateBolt(daemon.MetadataFile(s.dir), r.Revision(h), r.Entries(h, entries))
}

// publish moves what was made into the data directory: all at once, if there is
// none. Else the metadata comes last: without it a server refuses the journal.
func (s staging) publish() error {
	if s.whole {
		return renameDurably(s.dir, s.dataDir)
	}
	made, place := daemon.JournalDir(s.dir), daemon.JournalDir(s.dataDir)
	if err := os.Rename(made, place); err != nil {
		return err
	}
	if err := s.publishMetadata(); err != nil {
		return errors.Join(err, os.Rename(place, made))
	}
	return nil
}

// publishMetadata gives the metadata file its name, which must be free.
func (s staging) publishMetadata() error {
	file := daemon.MetadataFile(s.dataDir)
	if err := os.Link(daemon.MetadataFile(s.dir), file); err != nil {
		return err
	}
	if err := durable.SyncDir(s.dataDir); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// exchangeMetadata gives the metadata file its name and the file that had it
// another, which it returns, "" if there was none. There is no moment without a
// file: a server that starts would make an empty one.
func (s staging) exchangeMetadata() (aside string, err error) {
	file := daemon.MetadataFile(s.dataDir)
	aside = file + ".aside-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	err = os.Link(file, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return "", s.publishMetadata()
	}
	if err != nil {
		return "", err
	}
	if err := os.Rename(daemon.MetadataFile(s.dir), file); err != nil {
		return "", errors.Join(err, os.Remove(aside))
	}
	if err := durable.SyncDir(s.dataDir); err != nil {
		return "", errors.Join(err, os.Rename(aside, file))
	}
	return aside, nil
}

// renameDurably renames a file or directory within its directory, to a name that
// must be free.
func renameDurably(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := durable.SyncDir(filepath.Dir(to)); err != nil {
		return errors.Join(err, os.Rename(to, from))
	}
	return nil
}
