package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// resume begins a session with what is durable.
func (e *Exporter) resume(ctx context.Context) (*session, error) {
	d := e.disk()
	st, err := e.recover(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := e.suits(ctx, st); err != nil {
		return nil, err
	}
	st.addRegions(e.opts.Regions)
	if err := st.save(d); err != nil {
		return nil, err
	}
	e.known(st)
	s := &session{
		Exporter: e, disk: d, state: st, begun: time.Now(),
		reader: e.opts.Trail.Reader(st.Cursor.Sequence), read: position{seq: st.Cursor.Sequence}, streams: make(map[string]*stream),
		readDue: time.NewTimer(0), logDue: time.NewTimer(0), digestDue: time.NewTimer(0),
	}
	s.logDue.Stop()
	s.scheduleDigest()
	return s, nil
}

// recover returns the state after what it says was carried out. A state that was
// lost, or is older than the newest digests, is made from these, if they are the service's own.
func (e *Exporter) recover(ctx context.Context, d disk) (*state, error) {
	st, err := loadState(d)
	if err != nil {
		return nil, fmt.Errorf("reading the exporter's state: %w", err)
	}
	if st != nil {
		if err := carryOut(d, st); err != nil {
			return nil, err
		}
	}
	if err := d.clean(); err != nil {
		return nil, fmt.Errorf("removing unfinished files: %w", err)
	}
	newest, err := newestDigests(d, e.names)
	if err != nil {
		return nil, fmt.Errorf("looking for the newest digests: %w", err)
	}
	switch {
	case st == nil && len(newest) == 0:
		return newState(e.opts.Journal, time.Now()), nil
	case st != nil && !st.older(newest):
		return st, nil
	}
	if err := e.trust(ctx, newest); err != nil {
		return nil, &untrustedError{err}
	}
	st = stateFrom(newest)
	e.opts.Logger.Warn("the exporter's state is lost or older than the newest digest: going on behind that; "+
		"log files that were written after it stay, and no digest will name them", "directory", e.opts.Directory, "lastSequence", st.Cursor.Sequence)
	return st, nil
}

// untrustedError is why digests in the tree cannot be gone on behind.
type untrustedError struct{ error }

func (e *untrustedError) Unwrap() error { return e.error }

// trust wants digests to be signed by the service's own keys, and to be what their names
// say: records up to where they reach are not exported again, and may be removed.
func (e *Exporter) trust(ctx context.Context, newest map[string]cloudtrail.SignedDigest) error {
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	public, err := e.opts.Signer.PublicKeys(ctx)
	if err != nil {
		return fmt.Errorf("asking for the keys that the newest digests are to be signed by: %w", err)
	}
	ders := make([][]byte, len(public))
	for i, k := range public {
		ders[i] = k.DER
	}
	keys, err := cloudtrail.NewKeys(ders...)
	if err != nil {
		return err
	}
	for _, d := range newest {
		if err := d.Verify(keys); err != nil {
			return fmt.Errorf("digest %s in %s is not one of this service's: %w: move it away, if it is not one that you know", d.Object, e.opts.Directory, err)
		}
	}
	return nil
}

// older says whether there are digests that the state does not know of.
func (s *state) older(newest map[string]cloudtrail.SignedDigest) bool {
	for region, d := range newest {
		c := s.Regions[region]
		if c == nil || c.Last == nil || d.End.After(c.Last.End) {
			return true
		}
	}
	return false
}

// stateFrom makes a state that goes on behind digests. Where their Regions got to
// different points, the exporting begins at the first of them.
func stateFrom(newest map[string]cloudtrail.SignedDigest) *state {
	st := &state{Version: stateVersion, Regions: make(map[string]*chain)}
	for region, d := range newest {
		st.link(region, signedDigest{unwritten{d.Object, d.Content, d.Signature}, d.Digest})
		if st.Journal == "" || d.Journal.Last < st.Cursor.Sequence {
			st.Journal = d.Journal.JournalID
			st.Cursor = cursor{d.Journal.Last, d.Journal.LastHash, d.End}
		}
	}
	st.Begun, _ = st.lastEnd()
	return st
}

// suits compares the state with the journal: what was exported must be in it.
func (e *Exporter) suits(ctx context.Context, st *state) error {
	id, head := e.opts.Journal, e.opts.Trail.Head().Seq
	switch {
	case st.Journal != id.String() && e.opts.AcceptNewJournal:
		e.opts.Logger.Warn("the exported trail goes on with another journal", "directory", e.opts.Directory, "was", st.Journal, "is", id)
		st.switchJournal(id)
		return nil
	case st.Journal != id.String():
		return fmt.Errorf("directory %s holds the trail of journal %s, not of %v: "+
			"give another directory, move this one away, or accept the new journal", e.opts.Directory, st.Journal, id)
	case head < st.Cursor.Sequence:
		return fmt.Errorf("the journal ends with record %d, but records up to %d were exported to %s: it was rolled back or cut. "+
			"Restore the journal, or move the directory away", head, st.Cursor.Sequence, e.opts.Directory)
	}
	return e.sameRecord(ctx, st.Cursor)
}

// sameRecord compares the newest exported record's hash, unless retention has
// removed the record.
func (e *Exporter) sameRecord(ctx context.Context, c cursor) error {
	if c.Sequence == 0 {
		return nil
	}
	for r, err := range e.opts.Trail.Records(ctx, c.Sequence-1, false) {
		switch {
		case errors.Is(err, journal.ErrTrimmed):
			return nil
		case err != nil:
			return fmt.Errorf("reading record %d of the journal: %w", c.Sequence, err)
		case r.Seq == c.Sequence && r.Hash.String() != c.Hash:
			return fmt.Errorf("record %d of the journal is not the one that was exported to %s (its hash is %v, not %s): "+
				"the journal was altered or replaced", c.Sequence, e.opts.Directory, r.Hash, c.Hash)
		}
		return nil
	}
	return nil
}

// newestDigests returns the newest digest of each Region in the tree.
func newestDigests(d disk, names cloudtrail.Names) (map[string]cloudtrail.SignedDigest, error) {
	tree := os.DirFS(d.root)
	found, err := cloudtrail.NewestDigests(tree, names)
	if err != nil {
		return nil, err
	}
	newest := make(map[string]cloudtrail.SignedDigest, len(found))
	for region, name := range found {
		if newest[region], err = cloudtrail.ReadDigest(tree, name); err != nil {
			return nil, &untrustedError{fmt.Errorf("%s: %w", name, err)}
		}
		if says := newest[region].Object; says != name {
			return nil, &untrustedError{fmt.Errorf("%s is not there under its own name, %s: move it away", name, says)}
		}
	}
	return newest, nil
}
