package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// window is how many of the newest records of a trail are searched. The tour's
// are among them: they were durable before the tour had its answers.
const window = 100

// record is what a request left in the trails, as lines of text.
type record struct {
	event   []string
	entries []string
}

// collect reads both trails, and returns what belongs to each step.
func collect(ctx context.Context, operator operatorv1.OperatorServiceClient, steps []step) (map[string]*record, error) {
	records := map[string]*record{}
	for _, s := range steps {
		records[s.requestID] = &record{}
	}
	if err := collectEvents(ctx, operator, records); err != nil {
		return nil, fmt.Errorf("reading the API events: %w", err)
	}
	if err := collectEntries(ctx, operator, records); err != nil {
		return nil, fmt.Errorf("reading the HSM log: %w", err)
	}
	for _, s := range steps {
		if len(records[s.requestID].event) == 0 {
			return nil, fmt.Errorf("%s left no API event (request id %q)", s.name, s.requestID)
		}
	}
	return records, nil
}

func collectEvents(ctx context.Context, operator operatorv1.OperatorServiceClient, records map[string]*record) error {
	stream, err := operator.StreamEvents(ctx, &operatorv1.StreamEventsRequest{Last: new(int32(window))})
	if err != nil {
		return err
	}
	return connect.Each(stream, func(answer *operatorv1.StreamEventsResponse) error {
		e, err := present.ParseEvent(answer.GetEventJson())
		if err != nil {
			return err
		}
		if r := records[e.RequestID]; r != nil {
			r.event, err = eventLines(e)
		}
		return err
	})
}

func collectEntries(ctx context.Context, operator operatorv1.OperatorServiceClient, records map[string]*record) error {
	stream, err := operator.StreamHsmLog(ctx, &operatorv1.StreamHsmLogRequest{Last: new(int32(window))})
	if err != nil {
		return err
	}
	return connect.Each(stream, func(answer *operatorv1.StreamHsmLogResponse) error {
		entry, err := audit.ParseHSMEntry([]byte(answer.GetEntryJson()))
		if err != nil {
			return err
		}
		if r := records[entry.RequestID]; r != nil {
			text := strings.TrimSpace(answer.GetText())
			r.entries = append(r.entries, strings.Split(text, "\n")...)
		}
		return nil
	})
}

// eventLines lays an event out in lines. Members that are the same in all
// three, or say nothing new, are left out for room.
func eventLines(e present.Event) ([]string, error) {
	lines := []string{
		"eventTime: " + e.EventTime,
		"eventName: " + e.EventName,
		"userIdentity.arn: " + e.UserIdentity.ARN,
		"requestID: " + e.RequestID,
	}
	for _, r := range e.Resources {
		lines = append(lines, "resources: "+r.ARN)
	}
	parameters, err := memberLines("requestParameters", e.RequestParameters)
	if err != nil {
		return nil, err
	}
	additional, err := memberLines("additionalEventData", e.AdditionalEventData)
	return slices.Concat(lines, parameters, additional), err
}

// memberLines lays an object out with a line for each of its members, in their
// order. It is nothing for null.
func memberLines(name string, object json.RawMessage) ([]string, error) {
	if !bytes.HasPrefix(object, []byte{'{'}) {
		return nil, nil // absent or null
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	lines := []string{name + ":"}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		lines = append(lines, fmt.Sprintf("  %v: %s", key, bytes.Trim(value, `"`)))
	}
	return lines, nil
}
