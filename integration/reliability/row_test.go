package reliability

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
)

// row is a row of docs/reliability.md, or a part of one.
type row struct {
	// world says what the scenario is played in.
	world options
	// scenario plays the fault. Its error is a promise that was broken, or something that
	// kept it from being played.
	scenario func(*world) error
	// without are the defences that the row is about.
	without []needed
}

// needed is a defence without which a promise is broken.
type needed struct {
	defence defence.Defence
	breaks  error
}

// atMost bounds a scenario, on a machine with nothing to spare.
const atMost = 60 * time.Second

// test plays the scenario with all defences, and without each one.
func (r row) test(t *testing.T) {
	t.Parallel()
	t.Run("defended", func(t *testing.T) {
		t.Parallel()
		if err := r.play(t, ""); err != nil {
			t.Error(err)
		}
	})
	for _, n := range r.without {
		t.Run("without "+string(n.defence), func(t *testing.T) {
			t.Parallel()
			switch err := r.play(t, n.defence); {
			case err == nil:
				t.Errorf("all promises are kept without the defence: it is not needed, or the fault did not happen; want %q", n.breaks)
			case !errors.Is(err, n.breaks):
				t.Errorf("got %v, want %q", err, n.breaks)
			default:
				t.Log(err)
			}
		})
	}
}

// play plays the scenario in a world of its own, and checks what must be true at the end
// of all of them.
func (r row) play(t *testing.T, without defence.Defence) (err error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), atMost, fmt.Errorf("the scenario took more than %v", atMost))
	defer cancel()
	w, err := newWorld(ctx, t, r.world, without)
	if err != nil {
		return fmt.Errorf("making the world: %w", err)
	}
	defer func() {
		if err != nil {
			t.Logf("the server's log:\n%s", w.lastWords())
		}
		err = errors.Join(err, w.close())
	}()
	if err := w.start(); err != nil {
		return err
	}
	if err := r.scenario(w); err != nil {
		return err
	}
	return w.checkEnd()
}
