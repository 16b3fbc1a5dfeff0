package keystore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/audit"
	auditindex "github.com/strongroom-kms/strongroom/audit/index"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
)

// logEvent is an entry of an HSM's log as CloudWatch Logs has it: times in milliseconds.
type logEvent struct {
	seq                 uint64 // the record's
	stream, message, id string
	at, recorded        int64
	number              uint64 // the entry's sequence number
}

// readLogEvent reads the entry of a record. The message is what CloudHSM prints,
// without the end of its last line. The id is in the order of the journal.
func readLogEvent(r audit.Record) (logEvent, error) {
	e, err := audit.ParseHSMEntry(r.JSON)
	if err != nil {
		return logEvent{}, fmt.Errorf("reading the HSM entry of record %d: %w", r.Seq, err)
	}
	return logEvent{
		seq: r.Seq, stream: e.HSM, message: strings.TrimSuffix(string(e.AppendText(nil)), "\n"), number: e.SequenceNo,
		id: fmt.Sprintf("%026d%030d", r.Time.UnixMicro(), r.Seq), at: e.Time.UnixMilli(), recorded: r.Time.UnixMilli(),
	}, nil
}

// ends are the oldest and the newest entry of an HSM that the journal has.
type ends struct{ first, last logEvent }

// endsOf are those of an HSM's log; nil: it has no entries.
func (k *Keystore) endsOf(ctx context.Context, hsm string) (*ends, error) {
	var e ends
	for newest, end := range map[bool]*logEvent{false: &e.first, true: &e.last} {
		s := audit.Search{Kind: audit.RecordHSMEntry, Terms: []auditindex.Term{{Field: auditindex.HSM, Value: hsm}}, Newest: newest, Limit: 1}
		if _, err := k.seek(ctx, s, func(r audit.Record) (room bool, err error) {
			*end, err = readLogEvent(r)
			return false, err
		}); err != nil {
			return nil, err
		}
	}
	if e.first.seq == 0 || e.last.seq == 0 {
		return nil, nil
	}
	return &e, nil
}

// bytes is about how large the log's text is: sequence numbers have no gaps, and
// entries are of much the same length.
func (e *ends) bytes() int64 {
	entries := int64(e.last.number - e.first.number + 1) //nolint:gosec // fewer than 2^63
	return entries * int64(len(e.first.message)+len(e.last.message)) / 2
}

// DescribeLogStreams answers the streams of a group.
func (k *Keystore) DescribeLogStreams(ctx context.Context, req *logsv1.DescribeLogStreamsRequest) (*logsv1.DescribeLogStreamsResponse, error) {
	return perform(ctx, k, logsv1.LogsService_DescribeLogStreams_FullMethodName, req, plan[*logsv1.DescribeLogStreamsResponse]{
		targets: k.inGroup(req, ""),
		run: func(ctx context.Context, _ *proof) (*logsv1.DescribeLogStreamsResponse, error) {
			streams, err := k.describeStreams(ctx, req)
			if err != nil {
				return nil, err
			}
			of := k.selectionOf(req)
			behind, err := of.logPlace(req.GetNextToken())
			if err != nil {
				return nil, err
			}
			from := 0
			if behind != "" {
				from = 1 + slices.IndexFunc(streams, func(s *logsv1.LogStream) bool { return s.GetLogStreamName() == behind })
			}
			res := &logsv1.DescribeLogStreamsResponse{LogStreams: streams[from:]}
			if limit := logLimit(req.Limit, maxLogList); len(res.LogStreams) > limit {
				res.LogStreams = res.LogStreams[:limit]
				res.NextToken = new(of.token(res.LogStreams[limit-1].GetLogStreamName()))
			}
			return res, nil
		},
	})
}

// describeStreams are the streams that a request asks for, in its order. There are as
// many as there are HSMs, and HSMs that were replaced: few.
func (k *Keystore) describeStreams(ctx context.Context, req *logsv1.DescribeLogStreamsRequest) ([]*logsv1.LogStream, error) {
	byTime := req.GetOrderBy() == logsv1.OrderBy_ORDER_BY_LAST_EVENT_TIME
	if byTime && req.LogStreamNamePrefix != nil {
		return nil, badParameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	g, err := k.group(req)
	if err != nil {
		return nil, err
	}
	var all []*logsv1.LogStream
	for _, hsm := range g.streams {
		if !strings.HasPrefix(hsm, req.GetLogStreamNamePrefix()) {
			continue
		}
		s, err := k.describeStream(ctx, g.name, hsm)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if byTime {
		slices.SortStableFunc(all, func(a, b *logsv1.LogStream) int {
			return cmp.Compare(a.GetLastEventTimestamp(), b.GetLastEventTimestamp())
		})
	}
	if req.GetDescending() {
		slices.Reverse(all)
	}
	return all, nil
}

func (k *Keystore) describeStream(ctx context.Context, group, hsm string) (*logsv1.LogStream, error) {
	s := &logsv1.LogStream{LogStreamName: &hsm, Arn: new(k.logARN(group, hsm)), StoredBytes: new(int64(0))}
	e, err := k.endsOf(ctx, hsm)
	if err != nil || e == nil {
		return s, err
	}
	s.CreationTime, s.FirstEventTimestamp = &e.first.recorded, &e.first.at
	s.LastEventTimestamp, s.LastIngestionTime = &e.last.at, &e.last.recorded
	return s, nil
}
