package console

import (
	"errors"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
)

// load does a request whose answer is a T.
func load[T any, M interface {
	*T
	proto.Message
}](v *visit, method string, request proto.Message) part[M] {
	into := M(new(T))
	failed := v.ask(method, request, into)
	return part[M]{Value: into, Failure: failed}
}

// crew is goroutines that make a page together.
type crew struct {
	console  *Console
	running  sync.WaitGroup
	panicked atomic.Bool
}

// errPanicked is the panic of who has waited for a goroutine that has panicked. The log has
// that one.
var errPanicked = errors.New("a goroutine has panicked")

// Go calls f in a goroutine, where a panic would be the end of the process.
func (c *crew) Go(f func()) {
	c.running.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				c.console.logPanic(v)
				c.panicked.Store(true)
			}
		}()
		f()
	})
}

// Wait returns when all have ended.
func (c *crew) Wait() {
	c.running.Wait()
	if c.panicked.Load() {
		panic(errPanicked)
	}
}

// together does what a page needs at the same time: each request waits for its event to be
// durable, which takes no longer for several.
func (c *Console) together(all ...func()) {
	running := crew{console: c}
	for _, f := range all {
		running.Go(f)
	}
	running.Wait()
}

// atOnce is how many requests of a page there are at the same time when there is one for
// each line.
const atOnce = 8

// each calls f with every index below n, atOnce at a time.
func (c *Console) each(n int, f func(i int)) {
	places, running := make(chan struct{}, atOnce), crew{console: c}
	for i := range n {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			f(i)
		})
	}
	running.Wait()
}
