package keystore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	auditindex "github.com/strongroom-kms/strongroom/audit/index"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
)

// The most that a page of log events has: events, and bytes of their messages with
// what CloudWatch Logs counts for each.
const (
	maxLogEvents  = 10_000
	maxLogBytes   = 1 << 20
	logEventBytes = 26
	searchedOnce  = 1000 // entries that one search answers
)

// forwards and backwards begin the tokens of GetLogEvents.
const (
	forwards  = "f/"
	backwards = "b/"
)

// logPage are the events of a page, in the order in which they were found.
type logPage struct {
	events []logEvent
	limit  int
	bytes  int
}

// take adds an event, and says whether there is room for more.
func (p *logPage) take(e logEvent) bool {
	p.events = append(p.events, e)
	p.bytes += len(e.message) + logEventBytes
	return len(p.events) < p.limit && p.bytes < maxLogBytes
}

// GetLogEvents answers the events of one stream.
func (k *Keystore) GetLogEvents(ctx context.Context, req *logsv1.GetLogEventsRequest) (*logsv1.GetLogEventsResponse, error) {
	return perform(ctx, k, logsv1.LogsService_GetLogEvents_FullMethodName, req, plan[*logsv1.GetLogEventsResponse]{
		targets: k.inGroup(req, req.GetLogStreamName()),
		run: func(ctx context.Context, _ *proof) (*logsv1.GetLogEventsResponse, error) {
			g, err := k.group(req)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(g.streams, req.GetLogStreamName()) {
				return nil, noStream()
			}
			return k.getLogEvents(ctx, req)
		},
	})
}

func noStream() error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_RESOURCE_NOT_FOUND, "The specified log stream does not exist.")
}

func (k *Keystore) getLogEvents(ctx context.Context, req *logsv1.GetLogEventsRequest) (*logsv1.GetLogEventsResponse, error) {
	s := hsmSearch(req.GetLogStreamName())
	s.From, s.To = milli(req.StartTime), milli(req.EndTime)
	s.Newest = !req.GetStartFromHead()
	of := k.selectionOf(req, "start_from_head", "start_time", "end_time", "unmask")
	if token := req.GetNextToken(); token != "" {
		place, ok := strings.CutPrefix(token, forwards)
		if s.Newest = !ok; s.Newest {
			place, ok = strings.CutPrefix(token, backwards)
		}
		if s.After, ok = of.placeOf(place, ok); !ok {
			return nil, badToken()
		}
	}
	page := logPage{limit: logLimit(req.Limit, maxLogEvents)}
	s.Limit = min(page.limit, searchedOnce)
	next, err := k.seek(ctx, s, func(r audit.Record) (bool, error) {
		e, err := readLogEvent(r)
		return page.take(e), err
	})
	if err != nil {
		return nil, err
	}
	forward, backward := page.around(s, next)
	if s.Newest {
		slices.Reverse(page.events)
	}
	return &logsv1.GetLogEventsResponse{
		Events: page.outputs(), NextForwardToken: new(forwards + of.recordToken(forward)), NextBackwardToken: new(backwards + of.recordToken(backward)),
	}, nil
}

// placeOf is the record of a token whose direction has been read.
func (s selection) placeOf(token string, ok bool) (seq uint64, _ bool) {
	if !ok || token == "" {
		return 0, false
	}
	return s.record(token)
}

// around says behind which record, forwards and backwards, the pages beside this one
// begin. In the direction of the search it is where that ended; without an event, where
// it began, so that the token is the same again.
func (p *logPage) around(s audit.Search, next uint64) (forward, backward uint64) {
	began, ended := s.After, s.After
	if n := len(p.events); n > 0 {
		began, ended = p.events[0].seq, p.events[n-1].seq
	}
	if next != 0 {
		ended = next
	}
	switch {
	case s.Newest && len(p.events) > 0:
		return began, ended
	case s.Newest:
		return max(began, 1) - 1, ended
	case len(p.events) > 0:
		return ended, began
	}
	return ended, began + 1
}

func (p *logPage) outputs() []*logsv1.OutputLogEvent {
	all := make([]*logsv1.OutputLogEvent, len(p.events))
	for i, e := range p.events {
		all[i] = &logsv1.OutputLogEvent{Timestamp: &e.at, Message: &e.message, IngestionTime: &e.recorded}
	}
	return all
}

// hsmSearch is a search of an HSM's entries, of those of all HSMs if it is empty.
func hsmSearch(hsm string) audit.Search {
	s := audit.Search{Kind: audit.RecordHSMEntry}
	if hsm != "" {
		s.Terms = []auditindex.Term{{Field: auditindex.HSM, Value: hsm}}
	}
	return s
}

// milli is a time of a request, in milliseconds since 1970; absent: no time.
func milli(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms)
}
