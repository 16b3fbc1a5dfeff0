package strongroomtest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
)

// Event is an API event, as docs/formats/api-event.md describes it.
type Event struct {
	// Sequence is the record's number in the journal and JSON the whole event.
	Sequence uint64 `json:"-"`
	JSON     string `json:"-"`

	EventTime       time.Time `json:"eventTime"`
	EventSource     string    `json:"eventSource"`
	EventName       string    `json:"eventName"`
	EventType       string    `json:"eventType"`
	AWSRegion       string    `json:"awsRegion"`
	ReadOnly        bool      `json:"readOnly"`
	RequestID       string    `json:"requestID"`
	ErrorCode       string    `json:"errorCode"`
	ErrorMessage    string    `json:"errorMessage"`
	UserAgent       string    `json:"userAgent"`
	SourceIPAddress string    `json:"sourceIPAddress"`
	UserIdentity    struct {
		ARN       string `json:"arn"`
		InvokedBy string `json:"invokedBy"`
	} `json:"userIdentity"`
	Resources []struct {
		ARN string `json:"ARN"`
	} `json:"resources"`
	RequestParameters   map[string]any `json:"requestParameters"`
	ResponseElements    map[string]any `json:"responseElements"`
	AdditionalEventData map[string]any `json:"additionalEventData"`
	ServiceEventDetails map[string]any `json:"serviceEventDetails"`
}

// Events returns all API events so far, oldest first. They are read from the
// server's journal, which leaves no event. The event of a request is there when
// the request has been answered.
func (s *Server) Events() []Event {
	s.t.Helper()
	var events []Event
	s.follow(audit.Query{}, func(e Event) bool {
		events = append(events, e)
		return false
	})
	return events
}

// AwaitEvent returns the first event that match accepts, of those so far and those
// to come, for up to 30 s: what a server does by itself and what other processes
// ask of it has to be waited for.
func (s *Server) AwaitEvent(match func(Event) bool) Event {
	s.t.Helper()
	var found Event
	s.follow(audit.Query{Follow: true}, func(e Event) bool {
		found = e
		return match(e)
	})
	return found
}

// follow hands events to f until it returns true or there are no more.
func (s *Server) follow(q audit.Query, f func(Event) bool) {
	s.t.Helper()
	ctx, cancel := patience()
	defer cancel()
	for record, err := range s.current().trail.Events(ctx, q) {
		if err != nil {
			s.t.Fatalf("reading API events: %v", err)
		}
		e, err := parseEvent(record)
		if err != nil {
			s.t.Fatalf("%v", err)
		}
		if f(e) {
			return
		}
	}
}

func parseEvent(r audit.EventRecord) (Event, error) {
	e := Event{Sequence: r.Seq, JSON: string(r.JSON)}
	if err := json.Unmarshal(r.JSON, &e); err != nil {
		return e, fmt.Errorf("event %d is no JSON: %w: %s", r.Seq, err, r.JSON)
	}
	return e, nil
}

// HSMLog returns the HSM audit entries so far, oldest first: the management
// commands that the HSM was sent. Those that a request caused are there when it
// has been answered, and have its RequestID.
func (s *Server) HSMLog() []audit.HSMEntry {
	s.t.Helper()
	ctx, cancel := patience()
	defer cancel()
	var entries []audit.HSMEntry
	for e, err := range s.current().trail.HSMLog(ctx, audit.Query{}) {
		if err != nil {
			s.t.Fatalf("reading the HSM audit log: %v", err)
		}
		entries = append(entries, e)
	}
	return entries
}
