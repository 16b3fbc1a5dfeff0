package client

import "sync"

const (
	// fullBudget is what a budget begins with and never exceeds. Calls are
	// repeated while more than half of it is there.
	fullBudget = 100.0
	// earned is what a call that succeeded adds; one that failed costs 1.
	earned = 0.1
)

// budget bounds how much load repetitions add to a server that has too much
// already: when more calls fail than a tenth of those that succeed, they soon are
// not repeated any more. It is what gRPC's retryThrottling does.
type budget struct {
	mu     sync.Mutex
	amount float64
}

func newBudget() *budget { return &budget{amount: fullBudget} }

func (b *budget) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.amount = min(b.amount+earned, fullBudget)
}

// failed takes the price of a failure, and says whether there is enough left to
// repeat the call.
func (b *budget) failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.amount = max(b.amount-1, 0)
	return b.amount > fullBudget/2
}
