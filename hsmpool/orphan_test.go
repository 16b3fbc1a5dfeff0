package hsmpool

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestOrphanIsLookedForTwice has keys turn up late, or never.
func TestOrphanIsLookedForTwice(t *testing.T) {
	t.Parallel()
	missing, lost := &Error{Class: ObjectMissing}, errors.New("no worker")
	for name, answers := range map[string][]error{
		"there at once":         {nil},
		"turns up late":         {missing, nil},
		"was never made":        {missing, missing},
		"not known for a while": {lost, missing, missing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan int, len(answers)+1)
			n := 0
			o := newOrphanage(func(context.Context, ObjectID) error {
				n++
				asked <- n
				return answers[n-1]
			}, time.Millisecond, orNullLogger(nil))
			defer o.stop()
			o.add(ObjectID{1}, "request")
			for range answers {
				select {
				case <-asked:
				case <-time.After(10 * time.Second):
					t.Fatal("it is not looked for again")
				}
			}
			for deadline := time.Now().Add(10 * time.Second); o.has(ObjectID{1}); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("it is never given up")
				}
			}
		})
	}
}
