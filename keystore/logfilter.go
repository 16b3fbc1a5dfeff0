package keystore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/logpattern"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
)

// FilterLogEvents answers the events of streams of a group that match a pattern.
func (k *Keystore) FilterLogEvents(ctx context.Context, req *logsv1.FilterLogEventsRequest) (*logsv1.FilterLogEventsResponse, error) {
	return perform(ctx, k, logsv1.LogsService_FilterLogEvents_FullMethodName, req, plan[*logsv1.FilterLogEventsResponse]{
		targets: k.inGroup(req, ""),
		run: func(ctx context.Context, _ *proof) (*logsv1.FilterLogEventsResponse, error) {
			f, err := k.logFilter(req)
			if err != nil {
				return nil, err
			}
			return f.page(ctx, k)
		},
	})
}

// logFilter is what FilterLogEvents is asked for.
type logFilter struct {
	of      selection
	streams []string
	pattern logpattern.Pattern
	search  audit.Search
	limit   int
}

func (k *Keystore) logFilter(req *logsv1.FilterLogEventsRequest) (*logFilter, error) {
	streams, err := k.chooseStreams(req)
	if err != nil {
		return nil, err
	}
	if err := checkMillis(req.StartTime, req.EndTime); err != nil {
		return nil, err
	}
	f := &logFilter{of: k.selectionOf(req, "start_from_head"), streams: streams, limit: logLimit(req.Limit, maxLogEvents), search: hsmSearch("")}
	if len(streams) == 1 {
		f.search = hsmSearch(streams[0])
	}
	if f.pattern, err = logpattern.Parse(req.GetFilterPattern()); err != nil {
		return nil, badParameter("Invalid filter pattern: %v.", err)
	}
	f.search.From = milli(req.StartTime)
	if req.EndTime != nil {
		f.search.To = milli(req.EndTime).Add(time.Millisecond)
	}
	f.search.Newest = req.StartFromHead != nil && !req.GetStartFromHead()
	f.search.Limit = searchedOnce
	if token := req.GetNextToken(); token != "" {
		var ok bool
		if f.search.Newest, f.search.After, ok = f.of.directed(token); !ok {
			return nil, badToken()
		}
	}
	return f, nil
}

// chooseStreams are the streams that a request asks for: of those that it names, each
// must be there.
func (k *Keystore) chooseStreams(req *logsv1.FilterLogEventsRequest) ([]string, error) {
	names := req.GetLogStreamNames()
	if len(names) > 0 && req.LogStreamNamePrefix != nil {
		return nil, badParameter("logStreamNames and logStreamNamePrefix are mutually exclusive.")
	}
	g, err := k.group(req)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.Contains(g.streams, name) {
			return nil, noStream()
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	return slices.DeleteFunc(g.streams, func(s string) bool { return !strings.HasPrefix(s, req.GetLogStreamNamePrefix()) }), nil
}

// page is the page of the events that match.
func (f *logFilter) page(ctx context.Context, k *Keystore) (*logsv1.FilterLogEventsResponse, error) {
	res, page := new(logsv1.FilterLogEventsResponse), logPage{limit: f.limit}
	if len(f.streams) == 0 {
		return res, nil
	}
	next, err := k.seek(ctx, f.search, func(r audit.Record) (bool, error) {
		e, err := readLogEvent(r)
		if err != nil || !slices.Contains(f.streams, e.stream) || !f.pattern.Match(e.message) {
			return true, err
		}
		return page.take(e), nil
	})
	if err != nil {
		return nil, err
	}
	for _, e := range page.events {
		res.Events = append(res.Events, &logsv1.FilteredLogEvent{
			LogStreamName: &e.stream, Timestamp: &e.at, Message: &e.message, IngestionTime: &e.recorded, EventId: &e.id,
		})
	}
	if next != 0 {
		res.NextToken = new(f.of.directedToken(f.search.Newest, next))
	}
	return res, nil
}
