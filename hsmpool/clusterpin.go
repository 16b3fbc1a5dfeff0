package hsmpool

import (
	"context"
	"sync"
	"time"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// clusterPIN has the members of a pool log in one after the other until one has
// succeeded: they share a user, whom a cluster may lock on all of its HSMs after a few wrong
// PINs. Once a PIN has proved right, what another member says of it concerns that one alone.
type clusterPIN struct {
	turn chan struct{}

	mu      sync.Mutex
	proved  bool
	refused []RefusedPIN // while none has proved right
}

func newClusterPIN() *clusterPIN { return &clusterPIN{turn: make(chan struct{}, 1)} }

// begin waits for another member's login, as long as no PIN has proved right, but no longer
// than turnWait: a login that hangs must not keep the others out.
func (c *clusterPIN) begin(ctx context.Context) (end func(), err error) {
	if c.right() {
		return func() {}, nil
	}
	patience := time.NewTimer(turnWait)
	defer patience.Stop()
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-patience.C:
		return func() {}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *clusterPIN) right() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proved
}

// known returns the PINs that no member should try.
func (c *clusterPIN) known() []RefusedPIN {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// learn takes in how a login has ended.
func (c *clusterPIN) learn(reply *workerv1.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch pin := reply.GetRefusedPin(); {
	case reply.GetFailure() == nil:
		c.proved, c.refused = true, nil
	case pin != nil && reply.GetFunction() != "" && !c.proved:
		c.refused = keep(append(c.refused[:len(c.refused):len(c.refused)], RefusedPIN{Salt: pin.GetSalt(), Hash: pin.GetHash()}))
	}
}

// forget forgets what was refused, since an operator has acted.
func (c *clusterPIN) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = nil
}
