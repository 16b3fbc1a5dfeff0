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

// forwards and backwards begin the tokens of log events: a request's own direction counts
// only without one.
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
	if err := checkMillis(req.StartTime, req.EndTime); err != nil {
		return nil, err
	}
	s := hsmSearch(req.GetLogStreamName())
	s.From, s.To = milli(req.StartTime), milli(req.EndTime)
	s.Newest = !req.GetStartFromHead()
	of := k.selectionOf(req, "start_from_head", "start_time", "end_time", "unmask")
	switch token := req.GetNextToken(); {
	case token != "":
		var ok bool
		if s.Newest, s.After, ok = of.directed(token); !ok {
			return nil, badToken()
		}
	case s.Newest:
		s.After = k.trail.Cut().Head.Seq + 1 // of a page without events, what comes forwards is newer than this
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
		Events: page.outputs(), NextForwardToken: new(of.directedToken(false, forward)), NextBackwardToken: new(of.directedToken(true, backward)),
	}, nil
}

// directedToken is the token of the page that goes on behind a record, in a direction.
func (s selection) directedToken(newest bool, seq uint64) string {
	if newest {
		return backwards + s.recordToken(seq)
	}
	return forwards + s.recordToken(seq)
}

// directed reads a directedToken.
func (s selection) directed(token string) (newest bool, seq uint64, ok bool) {
	place, ok := strings.CutPrefix(token, forwards)
	if newest = !ok; newest {
		place, ok = strings.CutPrefix(token, backwards)
	}
	if !ok || place == "" {
		return false, 0, false
	}
	seq, ok = s.record(place)
	return newest, seq, ok
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

// checkMillis refuses times before 1970, as CloudWatch Logs does.
func checkMillis(start, end *int64) error {
	for name, ms := range map[string]*int64{"startTime": start, "endTime": end} {
		if ms != nil && *ms < 0 {
			return badParameter("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to 0", *ms, name)
		}
	}
	return nil
}

// milli is a time of a request, in milliseconds since 1970; absent: no time.
func milli(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms)
}
