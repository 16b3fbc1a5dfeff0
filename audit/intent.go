package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Open intents stand in each checkpoint, so they are bounded: this many of this
// size, in bytes of JSON, fit into the batch that a segment of the least size
// begins with.
const (
	maxOpenIntents = 500
	maxIntentSize  = 1024
)

// Intent says, before a change is made, that it is about to be. It is settled
// by the API event with the same request id. As JSON it takes at most 1,024 bytes.
type Intent struct {
	// RequestID is the request that wants the change. It is required.
	RequestID string `json:"requestID"`
	// EventName is the operation, e.g. "CreateKey".
	EventName string `json:"eventName"`
	// KeyARN is the KMS key that is made or changed.
	KeyARN string `json:"keyARN,omitempty"`
	// BackingKeyID is the CKA_ID of the token object that is made, in
	// hexadecimal; empty if none is.
	BackingKeyID string `json:"backingKeyID,omitempty"`
	// AliasName is the alias that is made or changed; empty if none is.
	AliasName string `json:"aliasName,omitempty"`
	// ResourceARN is what is made or changed when it is neither a key nor an alias:
	// a custom key store, a principal or an identity policy.
	ResourceARN string `json:"resourceARN,omitempty"`
	// CustomKeyStoreID is the custom key store whose HSM has the token object; empty
	// for the default key store's.
	CustomKeyStoreID string `json:"customKeyStoreID,omitempty"`
	// RequestedBy is the ARN of the principal that asked, SourceIPAddress where
	// from; empty if the service acts of itself.
	RequestedBy     string `json:"requestedBy,omitempty"`
	SourceIPAddress string `json:"sourceIPAddress,omitempty"`
	// Time is when the change began.
	Time time.Time `json:"time"`
}

// RecordIntent writes the intent. It is durable when nil is returned. If ctx ends
// first it may be written or not, but not after an event that is recorded later. While 500 intents are open it fails with
// journal.ErrUnavailable.
func (t *Trail) RecordIntent(ctx context.Context, in *Intent) error {
	body, err := in.encode()
	if err == nil {
		err = t.appendIntent(ctx, body)
	}
	if err != nil {
		return fmt.Errorf("recording the intent: %w", err)
	}
	return nil
}

func (in Intent) encode() ([]byte, error) {
	if in.RequestID == "" {
		return nil, errors.New("no request id")
	}
	in.Time = in.Time.UTC()
	body, err := json.Marshal(in)
	if err == nil && len(body) > maxIntentSize {
		err = fmt.Errorf("%d bytes, at most %d", len(body), maxIntentSize)
	}
	return body, err
}

// appendIntent appends an intent. Its place in the journal, before whatever
// event follows, is taken when ctx ends; the append then goes on, so that it
// becomes known whether the intent is open.
func (t *Trail) appendIntent(ctx context.Context, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.beginIntent(); err != nil {
		return err
	}
	pending, err := t.journal.Submit(journal.Entry{Kind: kindIntent, Body: body})
	if err != nil {
		t.state.release()
		t.intents.Done()
		return err
	}
	result := make(chan error, 1)
	go func() {
		defer t.intents.Done()
		_, err := pending.Wait(context.WithoutCancel(ctx))
		if err != nil {
			t.state.release()
		}
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beginIntent counts an append that Close waits for.
func (t *Trail) beginIntent() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return journal.ErrClosed
	}
	if err := t.state.reserve(); err != nil {
		return err
	}
	t.intents.Add(1)
	return nil
}

// UnsettledIntents returns, oldest first, the intents that Open found and that
// still have no API event of their request.
func (t *Trail) UnsettledIntents() []Intent {
	now := t.state.snapshot()
	return slices.DeleteFunc(slices.Clone(t.unsettled), func(in Intent) bool {
		return !slices.ContainsFunc(now.Intents, func(open Intent) bool { return open.RequestID == in.RequestID })
	})
}

// IntentIsOpen says whether a request's intent is in the journal and its event
// is not.
func (t *Trail) IntentIsOpen(requestID string) bool {
	return slices.ContainsFunc(t.state.snapshot().Intents, func(open Intent) bool { return open.RequestID == requestID })
}
