package ship

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

const cursorVersion = 1

// Cursor is how far a sink has come, as it stands in the sink's file: one line of JSON.
type Cursor struct {
	// Version is the format's, 1.
	Version int `json:"version"`
	// Journal is the id of the journal, in hexadecimal.
	Journal string `json:"journal"`
	// Sequence is the number of the newest record that the sink has, with all before it.
	Sequence uint64 `json:"sequence"`
	// Digests are, for a sink of files, the newest digest that it has of each Region.
	Digests map[string]DigestCursor `json:"digests,omitempty"`
}

// DigestCursor is the newest digest of a Region that a sink has, with all before it and
// all files that they name.
type DigestCursor struct {
	// Object is its name.
	Object string `json:"object"`
	// Journal and Sequence are the journal that it stands for, by id, and the last record.
	Journal  string `json:"journal"`
	Sequence uint64 `json:"sequence"`
}

// NewCursor returns the Cursor of a sink that has nothing yet.
func NewCursor(id journal.ID) Cursor {
	return Cursor{Version: cursorVersion, Journal: id.String()}
}

// ReadCursor reads a cursor's file. The error is fs.ErrNotExist if there is none yet.
func ReadCursor(path string) (Cursor, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Cursor{}, fmt.Errorf("reading a cursor: %w", err)
	}
	var c Cursor
	if err := json.Unmarshal(content, &c); err != nil {
		return Cursor{}, fmt.Errorf("reading cursor %s: %w", path, err)
	}
	if c.Version != cursorVersion || c.Journal == "" {
		return Cursor{}, fmt.Errorf("reading cursor %s: it is of version %d, want %d", path, c.Version, cursorVersion)
	}
	return c, nil
}

// Write replaces a cursor's file: after a crash it holds the old cursor or the new one.
// The directory must exist.
func (c Cursor) Write(path string) error {
	content, err := json.Marshal(c)
	if err == nil {
		err = replaceFile(path, append(content, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing cursor %s: %w", path, err)
	}
	return nil
}

// replaceFile writes beside the file and renames. There is one writer, so that the
// temporary name is always the same and nothing piles up.
func replaceFile(path string, content []byte) error {
	tmp := path + ".tmp"
	err := writeSynced(tmp, content)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		if gone := os.Remove(tmp); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	return syncDir(filepath.Dir(path))
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
