package cloudtrail

import (
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// CheckOptions says what Check expects.
type CheckOptions struct {
	// Pins are digests that are known from elsewhere: a tree that was rolled back as
	// a whole to an earlier state is good in itself.
	Pins []Pin
	// Since leaves out the digests that ended before it, and what they name: they may
	// have been removed. Zero: none.
	Since time.Time
}

// Pin is a digest that was seen: in the server's log, in its status or in the journal.
type Pin struct {
	// Region is whose digest it is; empty: all Regions had one at this record.
	Region string
	// Sequence is the last record that the digest stands for, and Hash the journal's
	// chain after that.
	Sequence uint64
	Hash     journal.Hash
}

// Report is what Check found.
type Report struct {
	// Chains are the chains of digests, by account and Region.
	Chains []Chain
	// LogFiles counts the log files that are as their digests say.
	LogFiles int
	// Unnamed are the files that no digest names, in order: log files that the next
	// digest will name, or what somebody put there. Nothing vouches for them.
	Unnamed []string
}

// Chain is the digests of a Region.
type Chain struct {
	// Account and Region are whose digests they are.
	Account, Region string
	// Digests are those that are good in themselves, oldest first, without their
	// LogFiles.
	Digests []Digest
}

// Newest returns the newest digest, or nil if none is good.
func (c *Chain) Newest() *Digest {
	if len(c.Digests) == 0 {
		return nil
	}
	return &c.Digests[len(c.Digests)-1]
}

// Problem is something that was altered, removed, added or moved.
type Problem struct {
	// File is the file that is bad or missing.
	File string
	// Sequence is the number of the first record of the journal that it puts in doubt.
	Sequence uint64
	// Reason says what is wrong.
	Reason string
}

// Error implements error.
func (p Problem) Error() string {
	return fmt.Sprintf("%s, from record %d on: %s", p.File, p.Sequence, p.Reason)
}

// Invalid is the error of a tree that is not as it was written.
type Invalid struct {
	// Problems are all that was found, in the order of their records.
	Problems []Problem
}

// Error implements error.
func (i *Invalid) Error() string {
	if n := len(i.Problems) - 1; n > 0 {
		return fmt.Sprintf("%v (and %d more)", i.Problems[0], n)
	}
	return i.Problems[0].Error()
}
