package keystore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/keystore/metadata"
)

// reloadPause is the pause after which a store that could not be read is tried
// again.
const reloadPause = time.Second

// mirror keeps what a part of the metadata store says, a C, in memory, as of one
// revision. follow keeps it fresh.
type mirror[C any] struct {
	prefix string
	empty  func() C
	// decode says what an event does to the contents. Its error is that of a record
	// that cannot be understood.
	decode func(metadata.Event) (func(*C), error)
	// publish is called with the lock held before a new revision is announced; nil:
	// nobody needs it. Its error is that of contents that do not agree.
	publish func(*C) error

	mu       sync.RWMutex
	shown    *C
	revision uint64
	changed  chan struct{} // closed and replaced at each new revision
	broken   error         // why the contents are no longer fresh
}

// load reads everything. A record that cannot be understood stops it: what does
// not know all of the metadata must not answer.
func (m *mirror[C]) load(ctx context.Context, store metadata.Store) error {
	entries, revision, err := store.Range(ctx, m.prefix)
	if err != nil {
		return err
	}
	all := m.empty()
	for _, e := range entries {
		change, err := m.decode(metadata.Event{Kind: metadata.Put, Entry: e})
		if err != nil {
			return err
		}
		change(&all)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.shown = all
	return m.advance(revision)
}

// follow applies every change after load until the context ends. What it
// cannot understand, or a broken watch, makes the mirror unhealthy for good.
func (m *mirror[C]) follow(ctx context.Context, store metadata.Store, log hclog.Logger) {
	err := m.watch(ctx, store)
	for errors.Is(err, metadata.ErrCompacted) {
		if err = m.reload(ctx, store); err == nil {
			err = m.watch(ctx, store)
		}
	}
	if ctx.Err() != nil {
		err = errors.New("the key store is closed")
	} else {
		log.Error("changes of the metadata are no longer seen; restart the server", "error", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
	m.announce()
}

// reload is load that waits for a store that cannot be read for a while.
func (m *mirror[C]) reload(ctx context.Context, store metadata.Store) error {
	for {
		err := m.load(ctx, store)
		if !errors.Is(err, metadata.ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(reloadPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// watch applies changes until the store gives none any more.
func (m *mirror[C]) watch(ctx context.Context, store metadata.Store) error {
	for change, err := range store.Watch(ctx, m.prefix, m.at()) {
		if err != nil {
			return err
		}
		if err := m.apply(change); err != nil {
			return err
		}
	}
	return errors.New("the watch ended")
}

// apply takes in what one commit did, all of it or nothing.
func (m *mirror[C]) apply(c metadata.Change) error {
	changes := make([]func(*C), 0, len(c.Events))
	for _, e := range c.Events {
		change, err := m.decode(e)
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, change := range changes {
		change(m.shown)
	}
	return m.advance(c.Revision)
}

// at is the revision that the mirror shows.
func (m *mirror[C]) at() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.revision
}

// advance says that the mirror shows a revision.
func (m *mirror[C]) advance(revision uint64) error {
	if m.publish != nil {
		if err := m.publish(m.shown); err != nil {
			return err
		}
	}
	m.revision = max(m.revision, revision)
	m.announce()
	return nil
}

// announce wakes those who wait for a revision.
func (m *mirror[C]) announce() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// reach waits until the mirror has seen a revision, so that a caller finds what
// it has just been answered.
func (m *mirror[C]) reach(ctx context.Context, revision uint64) error {
	for {
		m.mu.RLock()
		seen, changed, broken := m.revision >= revision, m.changed, m.broken
		m.mu.RUnlock()
		switch {
		case seen:
			return nil
		case broken != nil:
			return broken
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// healthy is nil while the mirror is fresh.
func (m *mirror[C]) healthy() error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.broken
}
