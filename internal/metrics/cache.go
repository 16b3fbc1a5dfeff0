package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cache keeps what has been made of each key, up to a limit: further keys share what is made
// of their rest, of which there are few. To find what is known takes no lock; keys are few, and soon all
// are known. make and the other settings are set before its first use.
type cache[K comparable, V any] struct {
	make  func(K) V
	rest  func(K) K
	limit int

	known    atomic.Pointer[map[K]V]
	learning sync.Mutex
}

// of returns what has been made of a key.
func (c *cache[K, V]) of(key K) V {
	if v, ok := c.all()[key]; ok {
		return v
	}
	return c.learn(key)
}

// learn makes what is new of a copy, since others are looking things up.
func (c *cache[K, V]) learn(key K) V {
	c.learning.Lock()
	defer c.learning.Unlock()
	if len(c.all()) >= c.limit {
		if _, ok := c.all()[key]; !ok {
			key = c.rest(key)
		}
	}
	if v, ok := c.all()[key]; ok {
		return v
	}
	more := make(map[K]V, len(c.all())+1)
	maps.Copy(more, c.all())
	more[key] = c.make(key)
	c.known.Store(&more)
	return more[key]
}

// all is what is known. It is not to be changed.
func (c *cache[K, V]) all() map[K]V {
	if known := c.known.Load(); known != nil {
		return *known
	}
	return nil
}
