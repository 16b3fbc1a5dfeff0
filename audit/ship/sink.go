package ship

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Sink is somebody who takes the trails.
type Sink interface {
	// Status says how far it has come. It answers at once.
	Status() Status
	// Taken returns the number of the newest record of the journal that the sink has,
	// with all before it, and that it will not ask for again.
	Taken() (uint64, error)
	// Close stops sending and waits no longer than ctx for it.
	Close(ctx context.Context) error
}

// Status is how far a sink has come.
type Status struct {
	// Name tells sinks apart: "s3", "otlp".
	Name string
	// Required says that nothing may be removed from the journal before the sink has it.
	Required bool
	// Sequence is the record up to which the sink has everything, by the cursor.
	Sequence uint64
	// LagRecords is how many records of the journal come after it.
	LagRecords uint64
	// LagOldest is about how long the oldest of them has waited; 0 if there is none.
	LagOldest time.Duration
	// LastError says why the last attempt failed; empty if it did not.
	LastError string
	// Blocked says that the sink refuses a record, or a file, for good, and that
	// nothing is sent until somebody has put that right.
	Blocked bool
	// Sent, Errors, Skipped and Missed count since the start: records (or files) that
	// were taken, attempts that failed, records that were left out because the sink
	// refused them, and records that had been removed from the journal before the sink
	// had them.
	Sent, Errors, Skipped, Missed uint64
}

// Taken returns the number of the newest record that all required sinks have;
// math.MaxUint64 if none is required.
func Taken(sinks ...Sink) (uint64, error) {
	least := uint64(math.MaxUint64)
	for _, s := range sinks {
		status := s.Status()
		if !status.Required {
			continue
		}
		seq, err := s.Taken()
		if err != nil {
			return 0, fmt.Errorf("asking what sink %s has taken: %w", status.Name, err)
		}
		least = min(least, seq)
	}
	return least, nil
}
