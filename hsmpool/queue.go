package hsmpool

import (
	"container/list"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
)

// lane tells the requests apart that take turns: those about one key, and those about
// none.
type lane = ObjectID

// laneOf returns the lane of an order.
func laneOf(o *order) lane {
	if !defence.On(defence.Fairness) {
		return lane{}
	}
	return o.object
}

// queue holds requests that wait for a place. Those of one lane are served in their
// order, lanes by turns, so that a key that everybody asks for keeps nobody else
// waiting for long. It is not safe for concurrent use.
type queue struct {
	lanes map[lane]*list.List // of *waiter; none is empty
	turns *list.List          // of the lanes, the next one in front
	size  int
}

// waiter is a request in the queue.
type waiter struct {
	order *order
	// granted is told the place, or why there will be none.
	granted chan grant
	element *list.Element // in its lane; nil once it is not in the queue
}

func newQueue() *queue { return &queue{lanes: map[lane]*list.List{}, turns: list.New()} }

// push appends a request to its lane.
func (q *queue) push(w *waiter) {
	l := laneOf(w.order)
	waiting := q.lanes[l]
	if waiting == nil {
		waiting = list.New()
		q.lanes[l] = waiting
		q.turns.PushBack(l)
	}
	w.element = waiting.PushBack(w)
	q.size++
}

// waiting is the number of requests in a lane.
func (q *queue) waiting(l lane) int {
	if waiting := q.lanes[l]; waiting != nil {
		return waiting.Len()
	}
	return 0
}

// front returns the request whose turn it is; nil if there is none.
func (q *queue) front() *waiter {
	turn := q.turns.Front()
	if turn == nil {
		return nil
	}
	return q.lanes[turn.Value.(lane)].Front().Value.(*waiter)
}

// remove takes a request out, and if it was in front gives the turn to the next lane. It
// returns false if the request was not in the queue.
func (q *queue) remove(w *waiter) bool {
	if w.element == nil {
		return false
	}
	l := laneOf(w.order)
	q.lanes[l].Remove(w.element)
	w.element = nil
	q.size--
	empty := q.lanes[l].Len() == 0
	if empty {
		delete(q.lanes, l)
	}
	for turn := q.turns.Front(); turn != nil; turn = turn.Next() {
		if turn.Value.(lane) != l {
			continue
		}
		switch {
		case empty:
			q.turns.Remove(turn)
		case turn == q.turns.Front():
			q.turns.MoveToBack(turn)
		}
		break
	}
	return true
}
