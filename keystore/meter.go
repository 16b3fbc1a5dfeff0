package keystore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const (
	// gcmLimit is how often one key may encrypt with AES-GCM under random
	// 96-bit IVs: NIST SP 800-38D, section 8.3.
	gcmLimit = 1 << 32
	// firstRange and lastRange are the sizes of the ranges reserved at a time;
	// each is twice the one before. A crash loses no more than the last range,
	// so it costs a key at most half of what the key has been used for.
	firstRange = 1 << 10
	lastRange  = 1 << 20
	// reserveTries bounds how often a reservation lost to another replica is
	// tried again.
	reserveTries = 10
)

// meter counts the encryptions under each backing key. Numbers are handed out
// from ranges that the metadata store has reserved ahead, so that a request
// rarely waits for the store, and no number is used twice after a crash.
type meter struct {
	scope scope
	store metadata.Store
	limit uint64
	// wear is told, without waiting, of keys whose backing key should be
	// renewed.
	wear chan *key

	mu       sync.Mutex
	counters map[hsmpool.ObjectID]*counter
}

// counter is the range of one backing key that is being handed out.
type counter struct {
	lock     chan struct{} // holds one value while it is taken; waiting for it ends with a context
	next     uint64        // the next number to hand out
	reserved uint64        // the first number that is not ours
	step     uint64        // the size of the next range
}

func newMeter(s scope, store metadata.Store, limit uint64) *meter {
	if limit == 0 {
		limit = gcmLimit
	}
	return &meter{scope: s, store: store, limit: limit, wear: make(chan *key, 64), counters: map[hsmpool.ObjectID]*counter{}}
}

// worn is the count from which a backing key only decrypts.
func (m *meter) worn() uint64 { return m.limit / 4 * 3 }

// take takes one invocation of a key's backing key, or refuses when the limit
// is reached.
func (m *meter) take(ctx context.Context, k *key, id hsmpool.ObjectID) error {
	c := m.counter(id)
	if err := c.acquire(ctx); err != nil {
		return outOfTime(ctx, "The key metadata").because(err)
	}
	defer c.release()
	if c.next == c.reserved {
		err := m.reserve(ctx, id, c)
		if ctx.Err() != nil {
			return outOfTime(ctx, "The key metadata").because(err)
		}
		if err != nil {
			return notCounted(k, err)
		}
	}
	if c.next >= m.limit {
		m.report(k)
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KEY_UNAVAILABLE, "The key material of %s has been used as often as it may be, and new material is not ready yet.", k.arn)
	}
	c.next++
	if c.next >= m.worn() {
		m.report(k)
	}
	return nil
}

// notCounted is the answer when no range could be reserved. A store that cannot be
// written, on a full disk for example, is as unavailable as a journal that cannot be.
func notCounted(k *key, err error) error {
	kind := annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL
	if errors.Is(err, metadata.ErrUnavailable) {
		kind = annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE
	}
	return errorf(kind, "The uses of key %s could not be counted.", k.arn).because(err)
}

// isWorn says whether a backing key should be renewed.
func (m *meter) isWorn(id hsmpool.ObjectID) bool {
	c := m.counter(id)
	c.lock <- struct{}{}
	defer c.release()
	return c.next >= m.worn()
}

func (c *counter) acquire(ctx context.Context) error {
	select {
	case c.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *counter) release() { <-c.lock }

func (m *meter) counter(id hsmpool.ObjectID) *counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.counters[id]
	if !ok {
		c = &counter{lock: make(chan struct{}, 1), step: firstRange}
		m.counters[id] = c
	}
	return c
}

// forget drops the ranges of backing keys that are no more.
func (m *meter) forget(ids []hsmpool.ObjectID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.counters, id)
	}
}

// report asks for new key material. A full channel is no loss: the next use
// reports again.
func (m *meter) report(k *key) {
	select {
	case m.wear <- k:
	default:
	}
}

// reserve makes the next range of a backing key ours, durably.
func (m *meter) reserve(ctx context.Context, id hsmpool.ObjectID, c *counter) error {
	for range reserveTries {
		from, revision, err := m.read(ctx, id)
		if err != nil {
			return err
		}
		err = m.write(ctx, id, from+c.step, revision)
		if errors.Is(err, metadata.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		c.next, c.reserved = from, from+c.step
		c.step = min(2*c.step, lastRange)
		return nil
	}
	return fmt.Errorf("reserving invocations of %s: others were faster %d times", id, reserveTries)
}

// read returns a backing key's persisted count and the revision it is from;
// both are zero when it was never used.
func (m *meter) read(ctx context.Context, id hsmpool.ObjectID) (count, revision uint64, err error) {
	r := new(storagev1.InvocationRecord)
	revision, err = readValue(ctx, m.store, m.path(id), r)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the invocations of %s: %w", id, err)
	}
	return r.GetReserved(), revision, nil
}

func (m *meter) write(ctx context.Context, id hsmpool.ObjectID, count, revision uint64) error {
	_, err := replaceValue(ctx, m.store, m.path(id), &storagev1.InvocationRecord{Reserved: &count}, revision)
	if err != nil {
		return fmt.Errorf("reserving invocations of %s: %w", id, err)
	}
	return nil
}

// giveBack returns what is left of the ranges, where nobody has reserved
// beyond them. Nothing may be taken any more.
func (m *meter) giveBack(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for id, c := range m.counters {
		if err := m.giveBackOne(ctx, id, c); err != nil {
			errs = append(errs, err)
		}
	}
	clear(m.counters)
	return errors.Join(errs...)
}

func (m *meter) giveBackOne(ctx context.Context, id hsmpool.ObjectID, c *counter) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	if c.next == c.reserved {
		return nil
	}
	count, revision, err := m.read(ctx, id)
	if err != nil || count != c.reserved {
		return err
	}
	err = m.write(ctx, id, c.next, revision)
	if err != nil && !errors.Is(err, metadata.ErrConflict) {
		return err
	}
	c.reserved = c.next
	return nil
}

func (m *meter) path(id hsmpool.ObjectID) string {
	return m.scope.invocations(id.String())
}
