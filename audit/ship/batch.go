package ship

import (
	"context"
	"errors"

	"github.com/strongroom-kms/strongroom/audit"
)

// batch is records that are sent together. Only those of the trails are kept.
type batch struct {
	records     []audit.Record
	seen, bytes int
}

func (b *batch) add(r audit.Record) {
	b.seen++
	if r.Kind == audit.RecordEvent || r.Kind == audit.RecordHSMEntry {
		b.records = append(b.records, r)
		b.bytes += len(r.JSON)
	}
}

func (b *batch) full() bool {
	return b.seen >= maxBatchRecords || b.bytes >= maxBatchBytes
}

// deliver returns nil when the sink has the records, or skips some for good. The error is
// ctx's.
func (r *Runner) deliver(ctx context.Context, records []audit.Record) error {
	if len(records) == 0 {
		return nil
	}
	pauses := newPauses(r.o.firstPause, longestPause)
	for {
		err := r.attempt(ctx, records)
		if err == nil {
			r.progress.Took(len(records))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		settled, err := r.settle(ctx, records, err)
		if settled {
			return err
		}
		if err := sleep(ctx, pauses.Next(err)); err != nil {
			return err
		}
	}
}

// attempt asks the sink once.
func (r *Runner) attempt(ctx context.Context, records []audit.Record) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return r.o.Sender.Send(ctx, records)
}

// settle does what a failed attempt leads to, unless that is another one: a batch that is
// refused, or too large, is sent in halves, so that in the end a refusal is of one record;
// that one is skipped, unless the sink is required.
func (r *Runner) settle(ctx context.Context, records []audit.Record, err error) (settled bool, _ error) {
	r.progress.Failed(err)
	first, last := records[0].Seq, records[len(records)-1].Seq
	refusal, refused := errors.AsType[*Refusal](err)
	r.o.Logger.Warn("sending records to a sink", "first", first, "last", last, "error", err)
	switch {
	case refused && refusal.Rejected > 0 && !r.o.Required:
		// The sink has the others: it would have them twice if they were sent again.
		r.skip(records, refusal.Rejected, refusal)
		return true, nil
	case len(records) > 1 && (refused || errors.Is(err, ErrTooLarge)):
		return true, r.halves(ctx, records)
	case refused && r.o.Required:
		r.progress.Block()
		r.o.Logger.Error("a required sink refuses a record and gets no others until it takes it", "record", first, "reason", refusal.Reason)
	case refused:
		r.skip(records, 1, refusal)
		return true, nil
	}
	return false, err
}

func (r *Runner) halves(ctx context.Context, records []audit.Record) error {
	middle := len(records) / 2
	if err := r.deliver(ctx, records[:middle]); err != nil {
		return err
	}
	r.advance(records[middle-1].Seq, false)
	return r.deliver(ctx, records[middle:])
}

// skip leaves out records that the sink refused.
func (r *Runner) skip(records []audit.Record, n int, refusal *Refusal) {
	r.progress.Took(len(records) - n)
	r.progress.skipped(n)
	r.o.Logger.Error("A SINK REFUSED RECORDS, and they are skipped: they are in the journal", "skipped", n,
		"first", records[0].Seq, "last", records[len(records)-1].Seq, "reason", refusal.Reason)
}
