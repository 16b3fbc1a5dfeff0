package hsmpool

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// orphanRetry is the pause after which destroying an orphan is tried again.
const orphanRetry = time.Second

// orphanage destroys keys that failed generations may have left in the token. One
// goroutine does so; stop ends it and leaves the rest to whoever settles the
// generation's intent.
type orphanage struct {
	destroy func(context.Context, ObjectID) error
	log     hclog.Logger
	cancel  context.CancelFunc
	done    chan struct{}
	wake    chan struct{}

	mu  sync.Mutex
	ids map[ObjectID]string // and the request that wanted the key
}

func newOrphanage(destroy func(context.Context, ObjectID) error, log hclog.Logger) *orphanage {
	ctx, cancel := context.WithCancel(context.Background())
	o := &orphanage{
		destroy: destroy, log: log, cancel: cancel,
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		ids: make(map[ObjectID]string),
	}
	go o.run(ctx)
	return o
}

func (o *orphanage) add(id ObjectID, requestID string) {
	o.mu.Lock()
	o.ids[id] = requestID
	o.mu.Unlock()
	notify(o.wake)
}

func (o *orphanage) has(id ObjectID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.ids[id]
	return ok
}

func (o *orphanage) stop() {
	o.cancel()
	<-o.done
}

func (o *orphanage) run(ctx context.Context) {
	defer close(o.done)
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-retry.C:
		}
		if !o.sweep(ctx) {
			retry.Reset(orphanRetry)
		}
	}
}

// sweep tries every orphan once and tells whether none is left.
func (o *orphanage) sweep(ctx context.Context) bool {
	o.mu.Lock()
	ids := maps.Clone(o.ids)
	o.mu.Unlock()
	clean := true
	for id, request := range ids {
		if err := o.destroy(WithRequestID(ctx, request), id); err != nil {
			o.log.Warn("destroying the key of a failed generation", "key", id.String(), "error", err)
			clean = false
			continue
		}
		o.mu.Lock()
		delete(o.ids, id)
		o.mu.Unlock()
	}
	return clean
}
