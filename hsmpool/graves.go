package hsmpool

import "sync"

// graves remembers the keys that were destroyed, so that a member that started meanwhile
// and has listed its keys before does not keep the handle of one.
type graves struct {
	mu  sync.Mutex
	ids []ObjectID
	// gone is how many were destroyed before those, starting how many members may ask for
	// them.
	gone, starting int
}

// mark begins to remember for a member, and returns what publish wants.
func (g *graves) mark() (since int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.starting++
	return g.gone + len(g.ids)
}

// add notes that a key is destroyed. Whoever has not been published by then will be told.
func (g *graves) add(id ObjectID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.starting == 0 {
		g.gone++
		return
	}
	g.ids = append(g.ids, id)
}

// publish has a member forget what was destroyed since a mark, and then lets it serve.
func (g *graves) publish(since int, forget func(ObjectID), serve func()) {
	for {
		news := g.since(since, serve)
		if len(news) == 0 {
			return
		}
		since += len(news)
		for _, id := range news {
			forget(id)
		}
	}
}

// since returns what was destroyed since a mark; if nothing was, it calls serve before
// anything can be.
func (g *graves) since(mark int, serve func()) []ObjectID {
	g.mu.Lock()
	defer g.mu.Unlock()
	news := g.ids[mark-g.gone:]
	if len(news) == 0 {
		serve()
		g.end()
	}
	return news[:len(news):len(news)]
}

// unmark is the end of a start that came to nothing.
func (g *graves) unmark() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.end()
}

func (g *graves) end() {
	if g.starting--; g.starting == 0 {
		g.gone += len(g.ids)
		g.ids = nil
	}
}
