package keystore

import (
	"context"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// lateStore holds the changes of the directory back from those who watch it while
// late is locked.
type lateStore struct {
	metadata.Store
	late      sync.Mutex
	committed chan struct{} // has room for one commit
}

func (l *lateStore) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[metadata.Change, error] {
	return func(yield func(metadata.Change, error) bool) {
		for change, err := range l.Store.Watch(ctx, prefix, after) {
			if prefix == testScope.globalPrefix() {
				l.late.Lock()
				l.late.Unlock() //nolint:staticcheck // it only waits
			}
			if !yield(change, err) {
				return
			}
		}
	}
}

func (l *lateStore) Commit(ctx context.Context, txn metadata.Txn) (uint64, error) {
	revision, err := l.Store.Commit(ctx, txn)
	if len(txn.Puts) == 1 && txn.Puts[0].Key == testScope.principalPath(bob) {
		l.committed <- struct{}{}
	}
	return revision, err
}

// TestAChangeKnowsTheOneBefore deletes a policy just after a principal was given it
// by somebody who did not wait for the answer: what the policy denies would be
// allowed.
func TestAChangeKnowsTheOneBefore(t *testing.T) {
	t.Parallel()
	s, store := newService(t), &lateStore{committed: make(chan struct{}, 1)}
	s.initToken()
	s.startWith(func(c *Config) { store.Store, c.Metadata = c.Metadata, store })
	defer s.stop()
	s.putIdentityPolicy("mine", mayNothing)

	store.late.Lock()
	ctx, cancel := context.WithCancel(s.as(admin))
	put := make(chan error, 1)
	go func() {
		_, err := s.Operator().PutPrincipal(ctx, &operatorv1.PutPrincipalRequest{Arn: new(bob), Policies: []string{"user", "mine"}})
		put <- err
	}()
	<-store.committed
	cancel()
	deleted := make(chan error, 1)
	go func() {
		_, err := s.Operator().DeleteIdentityPolicy(s.as(admin), &operatorv1.DeleteIdentityPolicyRequest{Name: new("mine")})
		deleted <- err
	}()
	time.Sleep(50 * time.Millisecond) // long for what does not wait
	store.late.Unlock()
	if err := <-deleted; err == nil || !strings.Contains(err.Error(), `has the policy "mine"`) {
		t.Errorf("deleting the policy: %v", err)
	}
	if err := <-put; err != nil {
		t.Errorf("putting the principal: %v", err)
	}
}
