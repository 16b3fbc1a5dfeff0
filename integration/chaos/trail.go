package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/integration/harness"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// event is an API event, as far as the checks look at it.
type event struct {
	EventName, EventType, RequestID, ErrorCode string
	RequestParameters                          json.RawMessage
	Resources                                  []struct{ ARN string }
	// text is all of it.
	text string
}

// isService says that the service itself wrote the event, for a request that was cut
// off or of its own accord.
func (e *event) isService() bool { return e.EventType == "AwsServiceEvent" }

// createAuditKey is what the service does of its own accord: it makes the key that signs the
// digests of the exported trails, once, when it first needs it. Attempts that failed are
// repeated.
const createAuditKey = "CreateAuditKey"

// events returns all API events, and the id of the request that asked for them.
func (w *world) events(ctx context.Context) (events []*event, own string, err error) {
	stream, err := w.link.get().Operator.StreamEvents(ctx, &operatorv1.StreamEventsRequest{})
	if err != nil {
		return nil, "", fmt.Errorf("streaming events: %w", err)
	}
	own, err = w.each(stream, "StreamEvents", func() error {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		e := &event{text: m.GetEventJson()}
		events = append(events, e)
		return json.Unmarshal([]byte(e.text), e)
	})
	return events, own, err
}

// each receives until the end of a stream, and notes the request.
func (w *world) each(stream grpc.ClientStream, operation string, next func() error) (string, error) {
	for {
		err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", operation, err)
		}
	}
	md, err := stream.Header()
	if err != nil {
		return "", fmt.Errorf("%s: %w", operation, err)
	}
	r := &request{Operation: operation, ID: strings.Join(md.Get("x-amzn-requestid"), ",")}
	w.history.add(r)
	return r.ID, nil
}

// checkEvents compares what was asked with the events of it: one for each answer, with
// the same outcome; at most one for each request whose answer was lost; none else, but
// those by which the service settles what was lost or failed, and that of its one audit
// key. The request named own asked for the events, and its own may be missing.
func checkEvents(requests []*request, events []*event, own string) []violation {
	of := map[string][]*event{}
	for _, e := range events {
		of[e.RequestID] = append(of[e.RequestID], e)
	}
	var found []violation
	var lost, unsettled []*request
	for _, r := range requests {
		if r.Lost != "" || r.Outcome != "" {
			unsettled = append(unsettled, r)
		}
		if r.Lost != "" && r.ID == "" {
			lost = append(lost, r)
			continue
		}
		if what := r.disagrees(of[r.ID]); what != "" && r.ID != own {
			found = append(found, violation{"events", r, what})
		}
		delete(of, r.ID)
	}
	for _, e := range withoutAuditKey(events) {
		if _, unexplained := of[e.RequestID]; !unexplained || e.RequestID == own {
			continue
		}
		at := slices.IndexFunc(lost, func(r *request) bool { return r.left(e) })
		switch {
		case e.isService() && slices.ContainsFunc(unsettled, func(r *request) bool { return r.Operation == e.EventName }):
			// What was cut off is settled, or what a failed request may have left is
			// cleared away under an id of its own.
		case at >= 0:
			lost = slices.Delete(lost, at, at+1)
		default:
			found = append(found, violation{"events", nil, "nobody has asked for this: " + e.text})
		}
	}
	return found
}

// withoutAuditKey leaves out the event of the service's one audit key, and of attempts to
// make it.
func withoutAuditKey(events []*event) []*event {
	made := false
	return slices.DeleteFunc(slices.Clone(events), func(e *event) bool {
		if !e.isService() || e.EventName != createAuditKey || e.ErrorCode == "" && made {
			return false
		}
		made = made || e.ErrorCode == ""
		return true
	})
}

// disagrees tells how the events of a request's id are not what they should be.
func (r *request) disagrees(events []*event) string {
	switch {
	case r.ID == "":
		return fmt.Sprintf("was answered %q without a request id", r.Outcome)
	case len(events) != 1:
		return fmt.Sprintf("has %d events, want 1", len(events))
	case events[0].EventName != r.Operation:
		return "has the event of " + events[0].EventName
	case r.Lost == "" && events[0].ErrorCode != r.Outcome:
		return fmt.Sprintf("was answered %q, and its event says %q", r.Outcome, events[0].ErrorCode)
	}
	return ""
}

// left tells whether an event may be that of the request, whose answer was lost.
func (r *request) left(e *event) bool {
	if e.EventName != r.Operation {
		return false
	}
	if r.Mark != "" {
		return strings.Contains(string(e.RequestParameters), `"`+r.Mark+`"`)
	}
	return true
}

// checkTrail checks the API events so far.
func (w *world) checkTrail(ctx context.Context) ([]*event, error) {
	events, own, err := w.events(ctx)
	if err != nil {
		return nil, err
	}
	w.report.events = len(events)
	w.history.mu.Lock()
	requests := slices.Clone(w.history.requests)
	w.history.mu.Unlock()
	w.objectAll(checkEvents(requests, events, own))
	return events, nil
}

// mostOfAKind is how many violations of one check are kept of one look.
const mostOfAKind = 5

func (w *world) objectAll(found []violation) {
	for i, v := range found {
		if i == mostOfAKind {
			w.history.object(v.check, nil, "and %d more", len(found)-i)
			return
		}
		w.history.object(v.check, v.by, "%s", v.what)
	}
}

// orphans returns what the server says that tokens and metadata do not have in common.
func (w *world) orphans(ctx context.Context) (*operatorv1.ListHsmOrphansResponse, error) {
	var header harness.Header
	res, err := w.link.get().Operator.ListHsmOrphans(ctx, &operatorv1.ListHsmOrphansRequest{}, header.Option())
	w.note("ListHsmOrphans", &header, err)
	if err != nil {
		return nil, fmt.Errorf("listing orphans: %w", err)
	}
	return res, nil
}
