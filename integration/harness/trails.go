package harness

import (
	"context"
	"encoding/json"
	"fmt"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Event is an API event, with the fields that tests look at.
type Event struct {
	// Sequence is the record's number in the journal and JSON the whole event.
	Sequence uint64 `json:"-"`
	JSON     string `json:"-"`

	EventName    string `json:"eventName"`
	RequestID    string `json:"requestID"`
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
	UserIdentity struct {
		ARN string `json:"arn"`
	} `json:"userIdentity"`
	RequestParameters   map[string]any `json:"requestParameters"`
	AdditionalEventData map[string]any `json:"additionalEventData"`
	Resources           []struct {
		ARN string `json:"ARN"`
	} `json:"resources"`
}

// Events returns all API events.
func (c *Client) Events(ctx context.Context) ([]Event, error) {
	stream, err := c.Operator.StreamEvents(ctx, &operatorv1.StreamEventsRequest{})
	if err != nil {
		return nil, fmt.Errorf("streaming events: %w", err)
	}
	answers, err := drain(stream)
	if err != nil {
		return nil, fmt.Errorf("streaming events: %w", err)
	}
	events := make([]Event, len(answers))
	for i, a := range answers {
		if err := json.Unmarshal([]byte(a.GetEventJson()), &events[i]); err != nil {
			return nil, fmt.Errorf("event %d is no JSON: %w: %s", a.GetSequence(), err, a.GetEventJson())
		}
		events[i].Sequence, events[i].JSON = a.GetSequence(), a.GetEventJson()
	}
	return events, nil
}

// HSMLog returns all HSM audit entries.
func (c *Client) HSMLog(ctx context.Context) ([]*operatorv1.StreamHsmLogResponse, error) {
	stream, err := c.Operator.StreamHsmLog(ctx, &operatorv1.StreamHsmLogRequest{})
	if err != nil {
		return nil, fmt.Errorf("streaming the HSM log: %w", err)
	}
	entries, err := drain(stream)
	if err != nil {
		return nil, fmt.Errorf("streaming the HSM log: %w", err)
	}
	return entries, nil
}
