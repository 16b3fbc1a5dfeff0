package auditcheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Compared counts the API events and HSM entries of the journal.
type Compared struct {
	// Equal stand in log files of digests, as they are in the journal.
	Equal uint64
	// Earlier are older than the digests that there are.
	Earlier uint64
	// Later are newer: no digest covers them yet.
	Later uint64
}

// comparison compares the journal's records, in order, with the log files that digests
// say have them.
type comparison struct {
	ranges  map[string]cloudtrail.Range // of a Region: what its digests stand for
	home    string                      // whose digests name HSM logs, and events of no Region that has digests
	streams map[string]*stream
	first   uint64 // the journal's first record
	counts  Compared
}

// compare compares a journal with the digests of that journal, by Region, oldest first. A
// *Fault says what differs first.
func compare(dir string, tree fs.FS, chains []cloudtrail.Chain, id journal.ID) (Compared, error) {
	for {
		c := &comparison{ranges: map[string]cloudtrail.Range{}, streams: map[string]*stream{}}
		err := c.addAll(tree, chains, id)
		if err == nil {
			err = c.walk(dir)
		}
		if !errors.Is(err, journal.ErrTrimmed) { // else by a server, meanwhile
			return c.counts, err
		}
	}
}

func (c *comparison) addAll(tree fs.FS, chains []cloudtrail.Chain, id journal.ID) error {
	for _, chain := range chains {
		for _, d := range chain.Digests {
			if d.Journal.JournalID != id.String() {
				continue
			}
			if err := c.add(tree, chain.Region, d.Object); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk compares all records.
func (c *comparison) walk(dir string) error {
	last := uint64(0)
	for r, err := range journal.Read(dir, 0) {
		if err != nil {
			return err
		}
		if c.first == 0 {
			c.first = r.Seq
		}
		if err := c.record(r); err != nil {
			return err
		}
		last = r.Seq
	}
	return c.rest(last)
}

// add takes in a digest with its log files.
func (c *comparison) add(tree fs.FS, region, object string) error {
	content, err := unpack(tree, object)
	if err != nil {
		return err
	}
	d, err := cloudtrail.DecodeDigest(content)
	if err != nil {
		return fmt.Errorf("digest %s: %w", object, err)
	}
	covered, ok := c.ranges[region]
	if !ok {
		covered = d.Journal
	}
	covered.Last = d.Journal.Last
	c.ranges[region] = covered
	if m := homeInName.FindStringSubmatch(object); m != nil {
		c.home = m[1]
	}
	for _, f := range d.LogFiles {
		name := streamOf(f.Object)
		if c.streams[name] == nil {
			c.streams[name] = &stream{tree: tree}
		}
		c.streams[name].files = append(c.streams[name].files, f)
	}
	return nil
}

var (
	homeInName = regexp.MustCompile(`_([a-z0-9-]+)_[0-9]{8}T[0-9]{6}Z\.json\.gz$`)
	hsmPath    = regexp.MustCompile(`(?:^|/)AWSLogs/[0-9]{12}/CloudHSM/[^/]+/[^/]+/([^/]+)/`)
	notInNames = regexp.MustCompile(`[^A-Za-z0-9.-]`)
)

// streamOf names the stream that a log file is part of.
func streamOf(object string) string {
	if m := hsmPath.FindStringSubmatch(object); m != nil {
		return "HSM " + m[1]
	}
	o, _ := cloudtrail.ParseObject(object)
	return "Region " + o.Region
}

// record takes in the journal's next record.
func (c *comparison) record(r journal.Record) error {
	switch audit.RecordKind(r.Kind) {
	case audit.RecordEvent:
		var event struct{ AWSRegion string }
		if err := json.Unmarshal(r.Body, &event); err != nil {
			return fmt.Errorf("record %d: %w", r.Seq, err)
		}
		region := event.AWSRegion
		if _, ok := c.ranges[region]; !ok {
			region = c.home
		}
		return c.compare(r.Seq, region, "Region "+region, r.Body)
	case audit.RecordHSMEntry:
		entry, err := audit.ParseHSMEntry(r.Body)
		if err != nil {
			return fmt.Errorf("record %d: %w", r.Seq, err)
		}
		return c.compare(r.Seq, c.home, "HSM "+notInNames.ReplaceAllString(entry.HSM, "-"), entry.AppendText(nil))
	}
	return nil
}

// compare compares a record of a Region's digests with the next one in the stream's log files.
func (c *comparison) compare(seq uint64, region, name string, record []byte) error {
	switch covered := c.ranges[region]; {
	case seq < covered.First:
		c.counts.Earlier++
		return nil
	case seq > covered.Last:
		c.counts.Later++
		return nil
	}
	missing := &Fault{Record: seq, Reason: "it stands in none of the log files whose digests say that they have it"}
	s := c.streams[name]
	if s == nil {
		return missing
	}
	file, ok, err := s.seek(c.first, record)
	switch {
	case err != nil:
		return err
	case !ok || file.Journal.First > seq:
		return missing
	case !bytes.Equal(s.take(), record):
		return &Fault{Record: seq, File: file.Object, Reason: "the log file has something else in its place"}
	}
	c.counts.Equal++
	return nil
}

// rest looks for what log files have and a journal that ends with record last has not.
func (c *comparison) rest(last uint64) error {
	var faults []error
	for _, s := range c.streams {
		file, some, err := s.peek()
		if err == nil && some && file.Journal.Last <= last {
			err = &Fault{File: file.Object, Record: file.Journal.First, Reason: "it has a record that the journal has not"}
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}
