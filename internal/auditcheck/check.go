package auditcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Options says what there is to check.
type Options struct {
	// Journal is the directory of the journal; empty: it is not there.
	Journal string
	// Export is the directory of log files and digests; empty: it is not there.
	Export string
	// Keys are the public keys that digests are signed with.
	Keys cloudtrail.Keys
	// Heads are points of the journal, and Signed points that the digests of all
	// Regions had reached.
	Heads, Signed []Head
	// Since leaves out digests that ended before: they may be missing. Zero: none may.
	Since time.Time
}

// Result is what Check found.
type Result struct {
	// Journal and Export are nil if they were not checked.
	Journal *audit.Report
	Export  *cloudtrail.Report
	// Compared is nil if one of them could not be compared with the other.
	Compared *Compared
	// Faults is what is wrong, in the order of the records. If there are none, all
	// that was checked is good.
	Faults []Fault
}

// Check checks what there is, and one thing against the other. Its error is one of
// reading, not a fault. It changes nothing, and may run beside the server.
func Check(ctx context.Context, o Options) (Result, error) {
	c := &checker{Options: o}
	var err error
	if o.Export != "" {
		err = c.export(ctx)
	}
	if err == nil && o.Journal != "" {
		err = c.journal()
	}
	if err == nil && c.Result.Journal != nil && c.Result.Export != nil {
		err = c.compare()
	}
	slices.SortStableFunc(c.Faults, func(a, b Fault) int { return cmp.Compare(a.Record, b.Record) })
	return c.Result, err
}

type checker struct {
	Options
	Result
}

// export checks digests and log files.
func (c *checker) export(ctx context.Context) error {
	var pins []cloudtrail.Pin
	for _, h := range c.Signed {
		pins = append(pins, cloudtrail.Pin{Sequence: h.Seq, Hash: h.Hash})
	}
	report, err := cloudtrail.Check(ctx, os.DirFS(c.Options.Export), c.Keys, cloudtrail.CheckOptions{Pins: pins, Since: c.Since})
	c.Result.Export = &report
	found, err := exportFaults(err)
	c.Faults = append(c.Faults, found...)
	return err
}

// journal checks the journal with all that is known of its chain.
func (c *checker) journal() error {
	id := journalID(c.Options.Journal)
	report, err := audit.Verify(c.Options.Journal, c.pins(id)...)
	c.Result.Journal = &report
	found, err := journalFaults(err)
	c.Faults = append(c.Faults, found...)
	c.signedLeft(id, report.Removed)
	return err
}

// signedLeft wants what is left of the journal to begin in what digests have signed. Retention
// never goes further: what nothing signed vouches for could be another journal.
func (c *checker) signedLeft(id journal.ID, removed uint64) {
	if c.Result.Export == nil || removed == 0 {
		return
	}
	var signed uint64
	for _, chain := range c.Result.Export.Chains {
		for _, d := range chain.Digests {
			if d.Journal.JournalID == id.String() {
				signed = max(signed, d.Journal.Last)
			}
		}
	}
	if signed > 0 && signed <= removed {
		c.Faults = append(c.Faults, Fault{Record: signed + 1, Meaning: meansBehind,
			Reason: fmt.Sprintf("the journal begins with record %d, behind record %d, the newest that digests sign: retention does not remove so much", removed+1, signed)})
	}
}

// journalID returns the id that the oldest segment has; zero if that cannot be read, which
// audit.Verify says then.
func journalID(dir string) journal.ID {
	enough := errors.New("the first header is enough")
	report, _ := journal.Walk(dir, journal.Visitor{
		Header: func(journal.Header) error { return enough },
		Record: func(journal.Record) error { return enough },
	})
	return report.Journal
}

// pins returns the points that a journal has to go through, and notes those of others.
func (c *checker) pins(id journal.ID) []audit.Pin {
	var pins []audit.Pin
	for _, h := range slices.Concat(c.Heads, c.Signed) {
		if h.Journal != id {
			c.foreign(id, h.Journal.String(), "a head that was kept")
			continue
		}
		pins = append(pins, audit.Pin{Seq: h.Seq, Hash: h.Hash, Source: "the head that was kept"})
	}
	if c.Result.Export == nil {
		return pins
	}
	for _, chain := range c.Result.Export.Chains {
		for _, d := range chain.Digests {
			if hash, ok := parseHash(d.Journal.LastHash); ok && d.Journal.JournalID == id.String() {
				pins = append(pins, audit.Pin{Seq: d.Journal.Last, Hash: hash, Source: "digest " + d.Object})
			}
		}
		// An operator may have accepted a new journal, but not have gone back to an older one.
		if newest := chain.Newest(); newest != nil && newest.Journal.JournalID != id.String() {
			c.foreign(id, newest.Journal.JournalID, newest.Object)
		}
	}
	return pins
}

func parseHash(text string) (journal.Hash, bool) {
	var h journal.Hash
	ok := decodeHex(h[:], text)
	return h, ok
}

func (c *checker) foreign(id journal.ID, other, source string) {
	c.Faults = append(c.Faults, Fault{Record: 1, Reason: fmt.Sprintf("this is journal %v, and %s is of journal %s", id, source, other), Meaning: meansForeign})
}

// compare compares the journal with the log files. A journal that is not whole is compared
// as far as it is.
func (c *checker) compare() error {
	counts, err := compare(c.Options.Journal, os.DirFS(c.Options.Export), c.Result.Export.Chains, c.Result.Journal.Journal)
	c.Compared = &counts
	fault := (*Fault)(nil)
	switch bad := (*journal.Corruption)(nil); {
	case errors.As(err, &fault):
		fault.Meaning = meansDiffer
		c.Faults = append(c.Faults, *fault)
	case errors.As(err, &bad): // a fault already
	default:
		return err
	}
	return nil
}
