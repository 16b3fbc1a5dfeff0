package audit

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// thefts are done by somebody who can write the directory and knows the formats, but
// cannot sign: nothing in the journal alone shows them.
var thefts = []tampering{
	{"an event is altered, and the chain made anew", func(t *testing.T, c *copied) any {
		return c.rewrite(t, `"eventName":"Encrypt"`, `"eventName":"Decrypt"`)
	}},
	{"an HSM entry is altered, and the chain made anew", func(t *testing.T, c *copied) any {
		return c.rewrite(t, `"opcodeValue":23`, `"opcodeValue":24`)
	}},
	{"the same without log files, against a head", func(t *testing.T, c *copied) any {
		c.evidence.head = c.head
		c.withoutTree(t)
		c.rewrite(t, `"eventName":"Encrypt"`, `"eventName":"Decrypt"`)
		return uint64(1) // or any later one
	}},
	{"a record that is not handed on is altered, and the chain made anew", func(t *testing.T, c *copied) any {
		c.rewrite(t, `"requestedBy":"`+harness.ARN(harness.Admin), `"requestedBy":"`+harness.ARN("mould"))
		return c.tree(t).lastRecord(c.tree(t).digests(harness.Region)[0]) + 1 // or a later one of the second digest's
	}},
	{"an event is altered in the journal and in its log file alike", func(t *testing.T, c *copied) any {
		f := c.tree(t)
		name := f.logFile(f.digests(harness.Region)[1], "CloudTrail")
		c.rewrite(t, `"eventName":"Encrypt"`, `"eventName":"Decrypt"`)
		f.replace(name, `"eventName":"Encrypt"`, `"eventName":"Decrypt"`)
		return name
	}},
	{"the journal's end is removed, and closed again", func(t *testing.T, c *copied) any { return c.behead(t) }},
	{"the same without log files, against a head", func(t *testing.T, c *copied) any {
		c.evidence.head = c.head
		c.withoutTree(t)
		return c.behead(t)
	}},
	{"the directory is put back to an older state", func(t *testing.T, c *copied) any {
		c.evidence.head = c.head
		return c.putBack(t)
	}},
	{"the same, against what digests had reached", func(t *testing.T, c *copied) any {
		c.evidence.signed = c.signed
		return c.putBack(t)
	}},
}

// rewrite alters a text in the first record of the second segment with it to another of
// the same length, makes the whole chain anew and returns the record's number.
func (c *copied) rewrite(t *testing.T, old, now string) uint64 {
	t.Helper()
	if len(old) != len(now) {
		t.Fatalf("%q and %q differ in length", old, now)
	}
	for _, s := range c.journal[1:] {
		if r, ok := s.containing(old); ok {
			s.replace(r, old, now)
			rechain(c.journal)
			for _, s := range c.journal {
				s.write(t)
			}
			return r.number
		}
	}
	t.Fatalf("no record has %q", old)
	return 0
}

// behead removes what comes after the third segment from the end but its first batch, seals
// what is left as a server does that stops, and returns the first missing record.
func (c *copied) behead(t *testing.T) uint64 {
	t.Helper()
	kept := len(c.journal) - 3
	for _, s := range c.journal[kept+1:] {
		remove(t, s.path)
	}
	s := c.journal[kept]
	last := s.batches[0]
	next := last.records[len(last.records)-1]
	b := batch{at: last.padded(), end: last.padded() + batchHeader, first: next.number + 1}
	s.bytes = append(s.bytes[:b.at:b.at], make([]byte, sector)...)
	copy(s.bytes[b.at:], "\xffSRBATC\xfe")
	binary.LittleEndian.PutUint64(s.bytes[b.at+16:], b.first)
	binary.LittleEndian.PutUint32(s.bytes[b.at+24:], seal)
	copy(s.bytes[b.at+32:], s.bytes[next.end-32:next.end])
	s.checksum(b)
	s.write(t)
	return b.first
}

// withoutTree leaves the journal alone.
func (c *copied) withoutTree(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(c.dataDir, "trail")))
	c.evidence.keys = ""
}

// putBack replaces the directory by the copy that was made of it earlier.
func (c *copied) putBack(t *testing.T) uint64 {
	t.Helper()
	must(t, os.RemoveAll(c.dataDir))
	must(t, os.CopyFS(c.dataDir, os.DirFS(c.older)))
	return c.olderLast + 1
}

// headOf is the newest point of a journal, as somebody keeps it, and its record's number.
func headOf(all []*segment) (string, uint64) {
	var newest *segment
	var last record
	for _, s := range all {
		for _, b := range s.batches {
			if n := len(b.records); n > 0 {
				newest, last = s, b.records[n-1]
			}
		}
	}
	return fmt.Sprintf("%x:%d:%x", newest.bytes[16:32], last.number, newest.bytes[last.end-32:last.end]), last.number
}
