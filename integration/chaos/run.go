package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// options are the shape of a run. All of it, with the seed, says what the run does.
type options struct {
	// Binary is the strongroom program, Library the library of faults, and Dir a
	// directory for everything else.
	Binary, Library, Dir string
	// Env is added to the environment of the server and of its workers.
	Env  []string
	Seed uint64
	// Members is how many HSMs hold the same keys; one more is the custom key store's.
	Members int
	// Clients is how many requests are in flight at most.
	Clients int
	// Rounds is how often the faults begin and end; in each, FaultSteps steps are made
	// while they last, and CalmSteps after them.
	Rounds, FaultSteps, CalmSteps int
	// FaultsAtMost is how many faults a round has at most.
	FaultsAtMost int
	// Faults draws those of a round; nil: schedule does.
	Faults func(*rand.Rand, options) []*fault
	// Recovery is how long it may take, after the last fault, until all is well.
	Recovery time.Duration
	// Log is told what happens.
	Log func(format string, args ...any)
}

// run makes a world, has the faults of its seed happen to it under load, and returns
// what was found. An error says that the run itself could not go on.
func run(ctx context.Context, o options) (*report, []violation, error) {
	w, err := newWorld(ctx, o)
	if err != nil {
		return nil, nil, fmt.Errorf("making the world: %w", err)
	}
	if err := w.start(ctx); err != nil {
		return nil, nil, err
	}
	defer w.close()
	if err := w.people(ctx); err != nil {
		return nil, nil, err
	}
	err = w.live(ctx)
	w.report.count(w.history)
	return w.report, w.history.found(), err
}

// close ends what is left of the world.
func (w *world) close() {
	for _, h := range w.hsms {
		if err := h.calm(); err != nil {
			w.Log("ending the faults of %s: %v", h.id, err)
		}
	}
	w.server.Kill()
	for i, log := range w.logs {
		if err := os.WriteFile(filepath.Join(w.Dir, fmt.Sprintf("server-%d.log", i+1)), []byte(log.String()), 0o600); err != nil {
			w.Log("keeping a log: %v", err)
		}
	}
	if err := w.link.client.Close(); err != nil {
		w.Log("closing the clients' connection: %v", err)
	}
}

// live has all rounds happen, and then the last checks.
func (w *world) live(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	w.gate.Lock()
	for _, c := range w.clients {
		all.Go(func() { c.run(ctx) })
	}
	err := w.rounds(ctx)
	stop()
	w.gate.Unlock()
	all.Wait()
	if err != nil {
		return err
	}
	return w.lastCheck(context.WithoutCancel(ctx))
}

// rounds is called with the gate closed, and leaves it closed.
func (w *world) rounds(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(w.Seed, 1<<33))
	if err := w.pass(ctx, calm, w.CalmSteps); err != nil { // the usual, to compare with
		return err
	}
	usual, err := w.measure(ctx)
	if err != nil {
		return err
	}
	draw := w.Faults
	if draw == nil {
		draw = schedule
	}
	for round := range w.Rounds {
		faults := draw(rng, w.options)
		for _, f := range faults {
			w.Log("round %d: %v", round+1, f)
		}
		if err := w.round(ctx, faults, usual); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
		if n := len(w.history.found()); n > 0 {
			w.Log("round %d: %d violations, the run ends here", round+1, n)
			return nil
		}
	}
	return nil
}

// round is a time of faults, the recovery, a time of calm, and the checks.
func (w *world) round(ctx context.Context, faults []*fault, usual resources) error {
	if err := w.disturb(ctx, faults); err != nil {
		return err
	}
	if recovered, err := w.recover(ctx); err != nil || !recovered {
		return err
	}
	if err := w.pass(ctx, calm, w.CalmSteps); err != nil {
		return err
	}
	return w.check(ctx, usual)
}

// mostOfPass is how long a pass waits for its steps, however slow everything is.
const mostOfPass = 2 * time.Minute

// recoverySteps is how many steps have to end as they should before all is well. Nobody
// knows of a session that is lost until it is used.
const recoverySteps = 100

// recover has the clients go on until all is well, and notes how long after the faults
// the last request has failed. It returns whether that was soon enough.
func (w *world) recover(ctx context.Context) (bool, error) {
	start := time.Now()
	for {
		before := time.Now()
		if err := w.pass(ctx, recovering, recoverySteps); err != nil {
			return false, err
		}
		ill := w.settle(ctx)
		last := w.history.lastExcused(start)
		switch {
		case ill != nil || last.Sub(start) > w.Recovery:
			w.history.object("recovery", nil, "%v after the last fault requests still fail (%v)", last.Sub(start), ill)
			return false, nil
		case last.Before(before):
			w.report.recovered(last.Sub(start))
			return true, nil
		}
	}
}

// pass opens the gate for so many steps.
func (w *world) pass(ctx context.Context, p phase, steps int) error {
	from, _ := w.done.now()
	w.gate.phase = p
	w.gate.Unlock()
	reached := w.done.await(ctx, from+steps, mostOfPass)
	w.gate.Lock()
	if !reached {
		return errors.Join(ctx.Err(), fmt.Errorf("%d steps were not made in %v", steps, mostOfPass))
	}
	return nil
}

// turn is the beginning or the end of a fault.
type turn struct {
	at int
	do func() error
}

// disturb opens the gate while the faults begin and end. Each has its time in steps,
// but waits for it no longer than mostOfFault.
func (w *world) disturb(ctx context.Context, faults []*fault) error {
	from, _ := w.done.now()
	w.gate.phase = disturbed
	w.gate.Unlock()
	err := w.turns(ctx, from, faults)
	w.gate.Lock()
	for _, h := range w.hsms {
		err = errors.Join(err, h.calm())
	}
	return err
}

// mostOfFault is how long a turn waits for its step: when every call hangs, a step
// takes as long as its deadline.
const mostOfFault = 15 * time.Second

func (w *world) turns(ctx context.Context, from int, faults []*fault) (err error) {
	turns := []turn{{w.FaultSteps, func() error { return nil }}}
	for _, f := range faults {
		var end func() error
		turns = append(turns, turn{f.at, func() (err error) {
			w.report.faults[f.kind]++
			end, err = w.begin(ctx, f)
			return err
		}}, turn{f.at + f.lasts, func() error {
			if end == nil {
				return nil
			}
			return end()
		}})
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	for _, t := range turns {
		w.done.await(ctx, from+t.at, mostOfFault)
		err = errors.Join(err, t.do())
	}
	return err
}
