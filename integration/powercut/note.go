package powercut

import (
	"encoding/json"
	"fmt"
	"slices"
)

// note is what the client writes down: before it asks for a change, and when it
// has been answered.
type note struct {
	// Operation is what was asked for.
	Operation string
	// Asked says that it is about to be; without it the request was answered.
	Asked bool `json:",omitzero"`
	// RequestID is the request's, once it is answered.
	RequestID string `json:",omitzero"`
	// Facts are what the operation makes true, by name.
	Facts map[string]string `json:",omitzero"`
	// Sealed is a ciphertext that was answered.
	Sealed *sealed `json:",omitzero"`
	// Killed says that the server was just killed, and names a copy of its directories.
	Killed string `json:",omitzero"`
}

// sealed is a ciphertext and the SHA-256 of its plaintext.
type sealed struct {
	Key     string
	Blob    []byte
	Context map[string]string
	Sum     []byte
}

func parseNote(text []byte) (n note, err error) {
	if err := json.Unmarshal(text, &n); err != nil {
		return n, fmt.Errorf("reading a note: %w", err)
	}
	return n, nil
}

// ledger is what must be so by the notes up to a moment.
type ledger struct {
	// answered are the ids of the answered requests, with their operations.
	answered map[string]string
	// facts are the values that a fact may have: one, or also those that a request
	// makes it which has no answer yet.
	facts map[string][]string
	// sealed are the ciphertexts.
	sealed []*sealed
}

// newLedger adds up notes.
func newLedger(notes []note) *ledger {
	l := &ledger{answered: map[string]string{}, facts: map[string][]string{}}
	for _, n := range notes {
		l.add(n)
	}
	return l
}

func (l *ledger) add(n note) {
	for name, value := range n.Facts {
		if _, known := l.facts[name]; !known {
			l.facts[name] = []string{""} // it is not so before
		}
		if !n.Asked {
			l.facts[name] = nil
		}
		if !slices.Contains(l.facts[name], value) {
			l.facts[name] = append(l.facts[name], value)
		}
	}
	if n.RequestID != "" {
		l.answered[n.RequestID] = n.Operation
	}
	if n.Sealed != nil {
		l.sealed = append(l.sealed, n.Sealed)
	}
}
