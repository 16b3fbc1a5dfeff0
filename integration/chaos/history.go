package chaos

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// request is a call of the API, as its client saw it.
type request struct {
	// Client and Step say whose it was; client 0 is the checker.
	Client, Step int
	Operation    string
	// Key is what the request named: a key's ARN, an alias, or nothing.
	Key string
	// Mark is a text of which no other request has the same, in the request's event;
	// empty: there was no place for one.
	Mark string
	// ID is the request's id; empty if the client was not told.
	ID string
	// Outcome is the error's name, empty for success; of a request whose answer was
	// lost it means nothing.
	Outcome string
	// Lost says why there was no answer; empty: there was one.
	Lost string
	// Deadline is the time that the request had, and Took what it took.
	Deadline, Took time.Duration
	// Ended is when it was answered, or given up.
	Ended time.Time
	// Calm says that nothing was disturbed meanwhile.
	Calm bool
	// Excused says that it did not end as it should, which the faults excuse if it was
	// not calm.
	Excused bool
	// Message is the error's, if any.
	Message string
}

// String tells whose request it was, and its id.
func (r *request) String() string {
	return fmt.Sprintf("client %d, step %d: %s %s (request %q)", r.Client, r.Step, r.Operation, r.Key, r.ID)
}

// sealed is a ciphertext that was answered.
type sealed struct {
	key  *key
	blob []byte
	// pairs is the encryption context.
	pairs     map[string]string
	algorithm *kmsv1.EncryptionAlgorithmSpec // of a key pair
	sum       [sha256.Size]byte              // of the plaintext
	// checked says that it has been decrypted since.
	checked bool
	by      *request
}

// authenticated is a MAC that was answered.
type authenticated struct {
	key          *key
	message, mac []byte
	checked      bool
	by           *request
}

// violation is something that must not be, with the facts to find it by.
type violation struct {
	// check is the name of the check that found it.
	check string
	// by is the request that it is about; may be nil.
	by   *request
	what string
}

// String is a line or more.
func (v violation) String() string {
	if v.by == nil {
		return fmt.Sprintf("%s: %s", v.check, v.what)
	}
	return fmt.Sprintf("%s: %v: %s", v.check, v.by, v.what)
}

// history is everything that clients asked and were answered. Its methods may be
// called by many goroutines.
type history struct {
	mu         sync.Mutex
	requests   []*request
	sealed     []*sealed
	macs       []*authenticated
	keys       []*key
	aliases    []*alias
	secrets    [][]byte // some data keys
	violations []violation
}

func (h *history) add(r *request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, r)
}

func (h *history) addSealed(s *sealed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sealed = append(h.sealed, s)
}

// mostSecrets is how many data keys are searched for.
const mostSecrets = 20

func (h *history) addSecret(s []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.secrets) < mostSecrets {
		h.secrets = append(h.secrets, s)
	}
}

func (h *history) addMAC(m *authenticated) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.macs = append(h.macs, m)
}

func (h *history) addKey(k *key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys = append(h.keys, k)
}

func (h *history) addAlias(a *alias) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.aliases = append(h.aliases, a)
}

// lastExcused returns when the last request ended that did not end as it should, after
// some time; that time if there was none.
func (h *history) lastExcused(after time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range slices.Backward(h.requests) {
		if r.Excused && r.Ended.After(after) {
			return r.Ended
		}
	}
	return after
}

// object notes a violation.
func (h *history) object(check string, by *request, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.violations = append(h.violations, violation{check, by, fmt.Sprintf(format, args...)})
}

// found returns the violations so far.
func (h *history) found() []violation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]violation(nil), h.violations...)
}
