package console

import (
	"sync"

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

// together does what a page needs at the same time: each request waits for its event to be
// durable, which takes no longer for several.
func together(all ...func()) {
	var running sync.WaitGroup
	for _, f := range all {
		running.Go(f)
	}
	running.Wait()
}

// atOnce is how many requests of a page there are at the same time when there is one for
// each line.
const atOnce = 8

// each calls f with every index below n, atOnce at a time.
func each(n int, f func(i int)) {
	places := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			f(i)
		})
	}
	running.Wait()
}
