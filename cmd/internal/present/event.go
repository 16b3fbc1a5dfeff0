package present

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// Event is what the tables show of an API event.
type Event struct {
	EventTime    string `json:"eventTime"`
	EventName    string `json:"eventName"`
	RequestID    string `json:"requestID"`
	ErrorCode    string `json:"errorCode"`
	UserIdentity struct {
		ARN       string `json:"arn"`
		InvokedBy string `json:"invokedBy"`
	} `json:"userIdentity"`
	Resources []struct {
		ARN string `json:"ARN"`
	} `json:"resources"`
	RequestParameters   json.RawMessage `json:"requestParameters"`
	ResponseElements    json.RawMessage `json:"responseElements"`
	AdditionalEventData json.RawMessage `json:"additionalEventData"`
}

// ParseEvent reads an API event as it stands in the journal.
func ParseEvent(text string) (Event, error) {
	var e Event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return Event{}, fmt.Errorf("reading an API event: %w", err)
	}
	return e, nil
}

// Result is the error's name, or "ok".
func (e Event) Result() string {
	if e.ErrorCode == "" {
		return "ok"
	}
	return e.ErrorCode
}

// Key is the id of the key that the request touched, or the name of the alias,
// or, where there is neither, the id of the custom key store, or "-".
func (e Event) Key() string {
	if len(e.Resources) == 0 {
		return cmp.Or(e.keyStore(), "-")
	}
	return strings.TrimPrefix(resource(e.Resources[0].ARN), "key/")
}

// keyStore is the id of the custom key store that the request was about, or "". Of a
// refused request only the parameters have it, of one that made a store the response.
func (e Event) keyStore() string {
	for _, part := range []json.RawMessage{e.AdditionalEventData, e.RequestParameters, e.ResponseElements} {
		var about struct {
			CustomKeyStoreID string `json:"customKeyStoreId"`
		}
		if err := json.Unmarshal(part, &about); err == nil && about.CustomKeyStoreID != "" {
			return about.CustomKeyStoreID
		}
	}
	return ""
}

// Caller is the principal without what all principals have in common, such as
// "user/alice", or "(service)" for what the service did of itself, or "-".
func (e Event) Caller() string {
	switch {
	case e.UserIdentity.ARN != "":
		return resource(e.UserIdentity.ARN)
	case e.UserIdentity.InvokedBy != "":
		return "(service)"
	default:
		return "-"
	}
}

// resource is the last part of an ARN.
func resource(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }

// eventLine has columns of fixed width, because a followed trail has no end to
// compute widths from. That of the events takes the longest name of an operation,
// GenerateDataKeyPairWithoutPlaintext. What varies most comes last.
const eventLine = "%-20s  %-35s  %-12s  %-36s  %-36s  %s"

// EventHeading is the heading of the lines that Line returns.
func EventHeading() string {
	return fmt.Sprintf(eventLine, "TIME", "EVENT", "CALLER", "KEY", "REQUEST ID", "RESULT")
}

// Line is the event in one line.
func (e Event) Line() string {
	return Printable(fmt.Sprintf(eventLine, e.EventTime, e.EventName, e.Caller(), e.Key(), e.RequestID, e.Result()))
}
