package console

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// recordsOfAPage is how many records of a trail a page has.
const recordsOfAPage = 50

// trailForm is what is searched for in a trail, as the form has it.
type trailForm struct {
	// Fields are the form's, in their order, but for Filter, the outcome and times.
	Fields []field
	// Filter is a condition in CEL, FilterExample one that makes sense.
	Filter, FilterExample string
	// Outcome is "", "failed" or "ok", From and To are times in UTC, as an input of the type
	// datetime-local has them.
	Outcome, From, To string
	// Reads are "" or "without": only what changes something.
	Reads string
	// HasReads says that the trail knows which records are of reads.
	HasReads bool
	// Wrong says which time could not be read.
	Wrong string
}

// field is a text that a record must have.
type field struct {
	Name, Label, Value, Example string
	// Rare says that few search by it: it is not shown at first.
	Rare bool
}

// Rare says that something is searched for that is not shown at first.
func (f trailForm) Rare() bool {
	return f.From != "" || f.To != "" || slices.ContainsFunc(f.Fields, func(each field) bool { return each.Rare && each.Value != "" })
}

// form reads the form from the address of the page.
func (v *visit) form(example string, fields ...field) trailForm {
	f := trailForm{Fields: fields, Filter: strings.TrimSpace(v.query("filter")), FilterExample: example, From: v.query("from"), To: v.query("to"), Outcome: v.query("outcome"), Reads: v.query("reads")}
	for i := range f.Fields {
		f.Fields[i].Value = strings.TrimSpace(v.query(f.Fields[i].Name))
	}
	for _, text := range []string{f.From, f.To} {
		if _, err := parseTime(text); err != nil {
			f.Wrong = text
		}
	}
	return f
}

// text is the value of a field; nil: it is not given.
func (f trailForm) text(name string) *string {
	for _, each := range f.Fields {
		if each.Name == name && each.Value != "" {
			return &each.Value
		}
	}
	return nil
}

func (f trailForm) filter() *string {
	if f.Filter == "" {
		return nil
	}
	return &f.Filter
}

func (f trailForm) failed() *bool {
	switch f.Outcome {
	case "failed":
		return new(true)
	case "ok":
		return new(false)
	}
	return nil
}

func (f trailForm) readOnly() *bool {
	if f.Reads == "without" {
		return new(false)
	}
	return nil
}

func (f trailForm) from() *timestamppb.Timestamp { return timestamp(f.From) }
func (f trailForm) to() *timestamppb.Timestamp   { return timestamp(f.To) }

// address is that of a page or stream with the same search.
func (f trailForm) address(path string, more ...string) string {
	all := more
	for _, each := range f.Fields {
		all = append(all, each.Name, each.Value)
	}
	return address(path, append(all, "filter", f.Filter, "outcome", f.Outcome, "reads", f.Reads, "from", f.From, "to", f.To)...)
}

// timestamp is a time that has been found good, nil if there is none.
func timestamp(text string) *timestamppb.Timestamp {
	t, err := parseTime(text)
	if err != nil || t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// parseTime reads a time in UTC as browsers write it, with or without seconds, or as
// events have it. No text is no time.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var err error
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		var t time.Time
		if t, err = time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}

// eventsPage is a search of the API events.
type eventsPage struct {
	Form   trailForm
	List   eventList
	Older  string // the page's address; empty: there are none
	Follow string // the stream's address
}

func (v *visit) eventForm() trailForm {
	return v.form(`event.eventName.startsWith("Schedule")`,
		field{Name: "name", Label: "Event", Example: "Decrypt"},
		field{Name: "principal", Label: "Principal, ARN or user name", Example: "alice"},
		field{Name: "resource", Label: "Key, id or ARN", Example: "1234abcd-…"},
		field{Name: "error", Label: "Error code", Example: "AccessDeniedException"},
		field{Name: "request", Label: "Request id", Rare: true},
		field{Name: "event", Label: "Event id", Rare: true},
		field{Name: "source", Label: "Event source", Example: "kms.amazonaws.com", Rare: true},
		field{Name: "access-key", Label: "Access key id", Rare: true},
	)
}

func (f trailForm) eventSelector() *operatorv1.EventSelector {
	return &operatorv1.EventSelector{
		StartTime: f.from(), EndTime: f.to(), EventName: f.text("name"), Principal: f.text("principal"), Resource: f.text("resource"),
		ErrorCode: f.text("error"), RequestId: f.text("request"), EventId: f.text("event"), EventSource: f.text("source"),
		AccessKeyId: f.text("access-key"), Failed: f.failed(), ReadOnly: f.readOnly(), Filter: f.filter(),
	}
}

func events(v *visit) view {
	p := eventsPage{Form: v.eventForm()}
	p.Form.HasReads = true
	p.Follow = p.Form.address("/streams/events")
	if p.Form.Wrong == "" {
		p.List = v.searchEvents(p.Form.eventSelector(), v.query("token"), recordsOfAPage)
	}
	if p.List.Next != "" {
		p.Older = p.Form.address("/events", "token", p.List.Next)
	}
	return view{File: "events.html", Title: "Events", Section: "/events", Following: true, Status: p.List.Failure.status(), Body: p}
}
