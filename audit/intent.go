package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Intent says, before a change is made, that it is about to be. It is settled
// by the API event with the same request id.
type Intent struct {
	// RequestID is the request that wants the change; at most 1 KiB.
	RequestID string `json:"requestID"`
	// EventName is the operation, e.g. "CreateKey".
	EventName string `json:"eventName"`
	// KeyARN is the KMS key that is made or changed.
	KeyARN string `json:"keyARN,omitempty"`
	// BackingKeyID is the CKA_ID of the token object, in hexadecimal.
	BackingKeyID string `json:"backingKeyID,omitempty"`
	// RequestedBy is the ARN of the principal that asked, SourceIPAddress where
	// from; empty if the service acts of itself.
	RequestedBy     string `json:"requestedBy,omitempty"`
	SourceIPAddress string `json:"sourceIPAddress,omitempty"`
	// Time is when the request came.
	Time time.Time `json:"time"`
}

// RecordIntent writes the intent. It is durable when nil is returned.
func (t *Trail) RecordIntent(ctx context.Context, in *Intent) error {
	if n := len(in.RequestID); n == 0 || n > maxEventString {
		return fmt.Errorf("recording the intent: request id has %d bytes, want 1 to %d", n, maxEventString)
	}
	utc := *in
	utc.Time = in.Time.UTC()
	body, err := json.Marshal(utc)
	if err == nil {
		_, err = t.journal.Append(ctx, journal.Entry{Kind: kindIntent, Body: body})
	}
	if err != nil {
		return fmt.Errorf("recording the intent: %w", err)
	}
	return nil
}

// UnsettledIntents returns, oldest first, the intents that Open found and that
// still have no API event of their request.
func (t *Trail) UnsettledIntents() []Intent {
	now, _ := t.state.snapshot()
	return slices.DeleteFunc(slices.Clone(t.unsettled), func(in Intent) bool {
		return !slices.ContainsFunc(now.Intents, func(open Intent) bool { return open.RequestID == in.RequestID })
	})
}
