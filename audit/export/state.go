package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

const stateVersion = 1

// state is what the exporter has to know to go on. Writing it is what decides a
// step: Files and Digests are then carried out, and once more after a crash.
type state struct {
	Version int `json:"version"`
	// Journal is the id of the journal that Cursor and Next are of.
	Journal string `json:"journalId"`
	// Begun is when the trail began, and so its first digests start.
	Begun time.Time `json:"begun"`
	// Cursor is the newest record that is exported.
	Cursor cursor `json:"cursor"`
	// Bytes is how much was exported since the last digest, before compression.
	Bytes int64 `json:"bytesSinceDigest"`
	// Regions are the chains of digests. A Region that once had one goes on having
	// one, also if it is no longer configured.
	Regions map[string]*chain `json:"regions"`
	// Files are the log files that get their names next.
	Files []unnamed `json:"filesToName,omitempty"`
	// Digests are to be written next.
	Digests []unwritten `json:"digestsToWrite,omitempty"`
}

// cursor is a record of the journal.
type cursor struct {
	Sequence uint64    `json:"sequence"`
	Hash     string    `json:"hash"`
	Time     time.Time `json:"time"`
}

// chain is where the digests of a Region stand.
type chain struct {
	// Last is the newest digest; nil if there is none yet.
	Last *link `json:"lastDigest"`
	// Next is the first record that the next digest stands for.
	Next uint64 `json:"nextSequence"`
	// Waiting are the log files that the next digest names.
	Waiting []cloudtrail.LogFile `json:"waiting"`
}

// link is what the next digest says of the last one, and what is told of it.
type link struct {
	Bucket      string    `json:"bucket"`
	Object      string    `json:"object"`
	HashValue   string    `json:"hashValue"`
	Signature   string    `json:"signature"`
	Fingerprint string    `json:"fingerprint"`
	End         time.Time `json:"endTime"`
	Last        uint64    `json:"lastSequence"`
	LastHash    string    `json:"lastHash"`
}

// unnamed is a file of tempDir that gets a name in the tree.
type unnamed struct {
	Temporary string `json:"temporary"`
	Object    string `json:"object"`
}

// unwritten is a digest that is signed.
type unwritten struct {
	Object    string `json:"object"`
	Content   []byte `json:"content"`
	Signature string `json:"signature"`
}

func newState(id journal.ID, now time.Time) *state {
	return &state{
		Version: stateVersion, Journal: id.String(), Begun: now.UTC().Truncate(time.Second),
		Cursor: cursor{Hash: journal.Hash{}.String()}, Regions: make(map[string]*chain),
	}
}

// loadState returns nil if there is none.
func loadState(d disk) (*state, error) {
	content, err := os.ReadFile(d.path(stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none, and that is no fault
	}
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, fmt.Errorf("%s: %w: remove it, and exporting goes on behind the newest digests", d.path(stateFile), err)
	}
	if s.Version != stateVersion || s.Regions == nil {
		return nil, fmt.Errorf("%s has version %d: this program knows version %d", d.path(stateFile), s.Version, stateVersion)
	}
	return &s, nil
}

func (s *state) save(d disk) error {
	content, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("encoding the exporter's state: %w", err)
	}
	if err := d.write(stateFile, append(content, '\n')); err != nil {
		return fmt.Errorf("saving the exporter's state: %w", err)
	}
	return nil
}

// addRegions begins the chains of Regions that have none, with the next record.
func (s *state) addRegions(regions []string) {
	for _, region := range regions {
		if s.Regions[region] == nil {
			s.Regions[region] = &chain{Next: s.Cursor.Sequence + 1}
		}
	}
}

// regions returns the names of those with a chain, in order.
func (s *state) regions() []string { return slices.Sorted(maps.Keys(s.Regions)) }

// switchJournal lets the chains go on with another journal, from its beginning.
func (s *state) switchJournal(id journal.ID) {
	s.Journal, s.Cursor = id.String(), cursor{Hash: journal.Hash{}.String()}
	for _, c := range s.Regions {
		c.Next = 1
	}
}

// taken is the newest record that every chain's digests cover.
func (s *state) taken() uint64 {
	var taken uint64
	for i, region := range s.regions() {
		if covered := s.Regions[region].Next - 1; i == 0 || covered < taken {
			taken = covered
		}
	}
	return taken
}

// lastEnd is when the newest digests ended, or the trail began.
func (s *state) lastEnd() (end time.Time, made bool) {
	end = s.Begun
	for _, c := range s.Regions {
		if c.Last != nil && (!made || c.Last.End.After(end)) {
			end, made = c.Last.End, true
		}
	}
	return end, made
}
