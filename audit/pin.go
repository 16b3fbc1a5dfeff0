package audit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Pin is a point of the journal that was kept elsewhere: by a signed digest, a
// backup, or a person who noted a head.
type Pin struct {
	// Seq is the number of the record that was the newest one.
	Seq uint64
	// Hash is the chain's value after that record, or after the header of a segment
	// that follows it, as Head has it.
	Hash journal.Hash
	// Source says where the pin was kept, e.g. the path of a digest.
	Source string
}

// PinError says that a journal whose chain is whole is not what a pin says.
type PinError struct {
	// Pin is the first one that differs.
	Pin Pin
	// From and To are the numbers of the records that may be the first bad one. If
	// Missing is set, From is the first one that is missing, and To is the pin's.
	From, To uint64
	// Missing says that the journal ends before the pin.
	Missing bool
	// Later, if not zero, is the number of a later record whose pin is right: then this
	// one is not of this journal.
	Later uint64
}

// Error implements error.
func (e *PinError) Error() string {
	switch {
	case e.Missing:
		return fmt.Sprintf("record %d is missing, and those up to %d: %s has record %d, and the journal ends before it: its tail was removed, or all of it was put back to an earlier state",
			e.From, e.To, e.Pin.Source, e.Pin.Seq)
	case e.Later > 0:
		return fmt.Sprintf("the chain after record %d is not what %s says, and after record %d it is as it should be: %s is not of this journal",
			e.Pin.Seq, e.Pin.Source, e.Later, e.Pin.Source)
	case e.From == e.To:
		return fmt.Sprintf("the journal was rewritten: record %d is not the one that %s has", e.To, e.Pin.Source)
	}
	return fmt.Sprintf("the journal was rewritten before or at record %d: its chain there is not what %s says; the first record that differs is one of %d to %d",
		e.To, e.Pin.Source, e.From, e.To)
}

// pinning compares the chain with pins.
type pinning struct {
	pins  []Pin // in the order of their numbers
	found []bool
	after int // the first pin that is not before the record that was read last
}

func newPinning(pins []Pin) *pinning {
	pins = slices.Clone(pins)
	slices.SortStableFunc(pins, func(a, b Pin) int { return cmp.Compare(a.Seq, b.Seq) })
	return &pinning{pins: pins, found: make([]bool, len(pins))}
}

// at takes in a value of the chain after a record. Records come in order.
func (p *pinning) at(seq uint64, hash journal.Hash) {
	for p.after < len(p.pins) && p.pins[p.after].Seq < seq {
		p.after++
	}
	for i := p.after; i < len(p.pins) && p.pins[i].Seq == seq; i++ {
		p.found[i] = p.found[i] || p.pins[i].Hash == hash
	}
}

// check judges the pins of a journal that was read up to record last, and of which the
// first so many were removed. An end that is not the journal's says nothing of the pins
// after it.
func (p *pinning) check(r *Report, removed, last uint64, whole bool) error {
	var bad *PinError
	good := uint64(0)
	for i, pin := range p.pins {
		switch {
		case p.found[i]:
			r.PinsChecked++
			good = pin.Seq
			if bad != nil && bad.Later == 0 {
				bad.Later = pin.Seq
			}
		case pin.Seq <= removed && removed > 0:
			r.PinsBefore++
		case bad != nil:
		case pin.Seq <= last:
			bad = &PinError{Pin: pin, From: min(good+1, pin.Seq), To: pin.Seq}
		case whole:
			bad = &PinError{Pin: pin, From: last + 1, To: pin.Seq, Missing: true}
		}
	}
	if bad == nil {
		return nil
	}
	return bad
}
