package ship

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/strongroom-kms/strongroom/audit/durable"
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
		err = durable.Replace(path, 0o600, append(content, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing cursor %s: %w", path, err)
	}
	return nil
}
