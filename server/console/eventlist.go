package console

import (
	"encoding/json"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// eventList is a page of API events, the newest first.
type eventList struct {
	Rows []eventRow
	// Next is where the older ones begin; empty: there are none.
	Next    string
	Failure *failure
}

// eventRow is what a list shows of an event.
type eventRow struct {
	Sequence  uint64   `json:"sequence"`
	Time      string   `json:"time"`  // as the event has it: RFC 3339
	Shown     string   `json:"shown"` // as pages have it
	Name      string   `json:"name"`
	Source    string   `json:"source"`
	Region    string   `json:"region"`
	Principal string   `json:"principal"` // its ARN, or who invoked a service event
	Address   string   `json:"address"`
	UserAgent string   `json:"userAgent"`
	Error     string   `json:"error"`
	Message   string   `json:"message"`
	Resources []string `json:"resources"`
	RequestID string   `json:"requestID"`
	EventID   string   `json:"eventID"`
	JSON      string   `json:"-"`
}

// eventRowOf reads an event, which is a CloudTrail record.
func eventRowOf(e *operatorv1.StreamEventsResponse) eventRow {
	var r struct {
		EventTime, EventName, EventSource, AWSRegion, SourceIPAddress, UserAgent string
		ErrorCode, ErrorMessage, RequestID, EventID                              string

		UserIdentity struct{ ARN, InvokedBy string }
		Resources    []struct{ ARN string }
	}
	_ = json.Unmarshal([]byte(e.GetEventJson()), &r) // its own server's; what cannot be read is empty
	row := eventRow{
		Sequence: e.GetSequence(), Time: r.EventTime, Shown: shownTime(r.EventTime), Name: r.EventName, Source: r.EventSource, Region: r.AWSRegion,
		Principal: r.UserIdentity.ARN, Address: r.SourceIPAddress, UserAgent: r.UserAgent, Error: r.ErrorCode, Message: r.ErrorMessage,
		RequestID: r.RequestID, EventID: r.EventID, JSON: e.GetEventJson(), Resources: []string{},
	}
	if row.Principal == "" {
		row.Principal = r.UserIdentity.InvokedBy
	}
	for _, resource := range r.Resources {
		row.Resources = append(row.Resources, resource.ARN)
	}
	return row
}

// searchEvents asks for a page of events, from a token on.
func (v *visit) searchEvents(s *operatorv1.EventSelector, token string, limit int32) eventList {
	request := &operatorv1.SearchEventsRequest{Selector: s, NewestFirst: new(true), MaxResults: &limit}
	if token != "" {
		request.NextToken = &token
	}
	found := load[operatorv1.SearchEventsResponse](v, operatorv1.OperatorService_SearchEvents_FullMethodName, request)
	l := eventList{Next: found.Value.GetNextToken(), Failure: found.Failure}
	for _, e := range found.Value.GetEvents() {
		l.Rows = append(l.Rows, eventRowOf(e))
	}
	return l
}
