package keystore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
)

// logOf is the group and the stream of the service's HSM.
func (s *service) logOf() (group, stream string) {
	s.t.Helper()
	status := s.pool.Describe()[0]
	return "/aws/cloudhsm/" + status.ClusterID, status.HSMID
}

// texts are the entries of an HSM, as CloudHSM prints them, oldest first.
func (s *service) texts(hsm string) (all []string) {
	s.t.Helper()
	for _, e := range s.hsmLog() {
		if e.HSM == hsm {
			all = append(all, strings.TrimSuffix(string(e.AppendText(nil)), "\n"))
		}
	}
	return all
}

// boot gives HSMs logs without entries.
func (s *service) boot(hsms ...string) {
	s.t.Helper()
	for _, hsm := range hsms {
		_, err := s.trail.Boot(hsm)
		s.must(err)
	}
	s.must(s.trail.FlushHSM(s.t.Context()))
}

func messages(events []*logsv1.OutputLogEvent) (all []string) {
	for _, e := range events {
		all = append(all, e.GetMessage())
	}
	return all
}

// startLogs is a service whose HSM has made keys.
func startLogs(t *testing.T, keys int) *service {
	t.Helper()
	s := startService(t)
	for range keys {
		s.createKey()
	}
	return s
}

func TestTheLogOfAnHSMIsAStreamOfItsClustersGroup(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 2)
	group, stream := s.logOf()
	groups, err := s.DescribeLogGroups(s.as(auditor), &logsv1.DescribeLogGroupsRequest{LogGroupNamePrefix: &group})
	s.must(err)
	if len(groups.LogGroups) != 1 {
		t.Fatalf("groups: %v", groups)
	}
	arn, text := "arn:aws:logs:us-east-1:000000000000:log-group:"+group, strings.Join(s.texts(stream), "")
	g := groups.LogGroups[0]
	if g.GetLogGroupName() != group || g.GetArn() != arn+":*" || g.GetLogGroupArn() != arn || g.GetCreationTime() == 0 ||
		g.GetStoredBytes() < int64(len(text))*3/4 || g.GetStoredBytes() > int64(len(text))*5/4 {
		t.Errorf("the group is %v, its text has %d bytes", g, len(text))
	}
	streams, err := s.DescribeLogStreams(s.as(auditor), &logsv1.DescribeLogStreamsRequest{LogGroupIdentifier: &arn})
	s.must(err)
	if len(streams.LogStreams) != 1 {
		t.Fatalf("streams: %v", streams)
	}
	entries := slices.DeleteFunc(s.hsmLog(), func(e audit.HSMEntry) bool { return e.HSM != stream })
	l := streams.LogStreams[0]
	if l.GetLogStreamName() != stream || l.GetArn() != arn+":log-stream:"+stream || l.GetFirstEventTimestamp() != entries[0].Time.UnixMilli() ||
		l.GetLastEventTimestamp() != entries[len(entries)-1].Time.UnixMilli() || l.GetLastIngestionTime() < l.GetLastEventTimestamp() {
		t.Errorf("the stream is %v", l)
	}
}

// Which groups are answered depends on what is asked; which is not understood is refused.
func TestDescribeLogGroupsChooses(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 1)
	group, _ := s.logOf()
	arn := "arn:aws:logs:us-east-1:000000000000:log-group:" + group
	for name, test := range map[string]struct {
		req  *logsv1.DescribeLogGroupsRequest
		want bool
	}{
		"all":                       {&logsv1.DescribeLogGroupsRequest{}, true},
		"prefix":                    {&logsv1.DescribeLogGroupsRequest{LogGroupNamePrefix: new("/aws/cloudhsm/")}, true},
		"another prefix":            {&logsv1.DescribeLogGroupsRequest{LogGroupNamePrefix: new("/aws/lambda/")}, false},
		"pattern":                   {&logsv1.DescribeLogGroupsRequest{LogGroupNamePattern: new("cloudhsm")}, true},
		"identifiers":               {&logsv1.DescribeLogGroupsRequest{LogGroupIdentifiers: []string{arn}}, true},
		"identifiers, by the name":  {&logsv1.DescribeLogGroupsRequest{LogGroupIdentifiers: []string{group}}, true},
		"identifiers, of elsewhere": {&logsv1.DescribeLogGroupsRequest{LogGroupIdentifiers: []string{strings.Replace(arn, "us-east-1", "us-east-2", 1)}}, false},
		"another class":             {&logsv1.DescribeLogGroupsRequest{LogGroupClass: logsv1.LogGroupClass_LOG_GROUP_CLASS_DELIVERY.Enum()}, false},
		"this account":              {&logsv1.DescribeLogGroupsRequest{AccountIdentifiers: []string{"000000000000"}}, true},
	} {
		res, err := s.DescribeLogGroups(s.as(auditor), test.req)
		s.must(err)
		found := slices.ContainsFunc(res.LogGroups, func(g *logsv1.LogGroup) bool { return g.GetLogGroupName() == group })
		if found != test.want {
			t.Errorf("%s: %v", name, res.LogGroups)
		}
	}
	for name, req := range map[string]*logsv1.DescribeLogGroupsRequest{
		"prefix and pattern":     {LogGroupNamePrefix: new("a"), LogGroupNamePattern: new("a")},
		"identifiers and prefix": {LogGroupNamePrefix: new("a"), LogGroupIdentifiers: []string{group}},
		"linked accounts":        {IncludeLinkedAccounts: new(true)},
		"another account":        {AccountIdentifiers: []string{"111122223333"}},
		"a token of nowhere":     {NextToken: new("x")},
		"a limit of 51":          {Limit: new(int32(51))},
	} {
		_, err := s.DescribeLogGroups(s.as(auditor), req)
		wantKind(t, name, err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER)
	}
}

// Read forwards or backwards, by whatever pages, a stream has the HSM's log, and at its
// end the same token again.
func TestGetLogEventsBothWays(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 7)
	group, stream := s.logOf()
	want := s.texts(stream)
	get := func(req *logsv1.GetLogEventsRequest) *logsv1.GetLogEventsResponse {
		t.Helper()
		req.LogGroupName, req.LogStreamName = &group, &stream
		res, err := s.GetLogEvents(s.as(auditor), req)
		s.must(err)
		return res
	}
	var got []string
	res := get(&logsv1.GetLogEventsRequest{StartFromHead: new(true), Limit: new(int32(3))})
	for len(res.Events) > 0 {
		if len(res.Events) > 3 {
			t.Fatalf("a page has %d events", len(res.Events))
		}
		got = append(got, messages(res.Events)...)
		res = get(&logsv1.GetLogEventsRequest{NextToken: res.NextForwardToken, StartFromHead: new(true), Limit: new(int32(3))})
	}
	if !slices.Equal(got, want) {
		t.Errorf("forwards %d of %d entries:\n%s", len(got), len(want), strings.Join(got, "\n\n"))
	}
	end := get(&logsv1.GetLogEventsRequest{NextToken: res.NextForwardToken})
	if len(end.Events) != 0 || end.GetNextForwardToken() != res.GetNextForwardToken() {
		t.Errorf("at the end: %v after %s", end, res.GetNextForwardToken())
	}
	s.createKey()
	if more := get(&logsv1.GetLogEventsRequest{NextToken: end.NextForwardToken}); len(more.Events) != 1 || !strings.Contains(more.Events[0].GetMessage(), "CN_GENERATE_KEY") {
		t.Errorf("after another key: %v", more)
	}

	want, got = s.texts(stream), nil
	for res = get(&logsv1.GetLogEventsRequest{Limit: new(int32(4))}); len(res.Events) > 0; {
		got = append(messages(res.Events), got...)
		back := get(&logsv1.GetLogEventsRequest{NextToken: res.NextBackwardToken, Limit: new(int32(4))})
		if len(back.Events) == 0 && back.GetNextBackwardToken() != res.GetNextBackwardToken() {
			t.Errorf("at the beginning: %v after %s", back, res.GetNextBackwardToken())
		}
		if forth := get(&logsv1.GetLogEventsRequest{NextToken: back.NextForwardToken, Limit: new(int32(4))}); len(back.Events) > 0 && !slices.Equal(messages(forth.Events), messages(res.Events)) {
			t.Errorf("back and forth: %v, was %v", forth, res)
		}
		res = back
	}
	if !slices.Equal(got, want) {
		t.Errorf("backwards %d of %d entries", len(got), len(want))
	}
}

func TestGetLogEventsByTime(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 2)
	group, stream := s.logOf()
	all, err := s.GetLogEvents(s.as(auditor), &logsv1.GetLogEventsRequest{LogGroupName: &group, LogStreamName: &stream})
	s.must(err)
	last := all.Events[len(all.Events)-1]
	for name, test := range map[string]struct {
		from, to *int64
		last     bool // is among them
	}{
		"from it":    {last.Timestamp, nil, true},
		"after it":   {new(last.GetTimestamp() + 1), nil, false},
		"until it":   {nil, last.Timestamp, false},
		"through it": {nil, new(last.GetTimestamp() + 1), true},
	} {
		res, err := s.GetLogEvents(s.as(auditor), &logsv1.GetLogEventsRequest{LogGroupName: &group, LogStreamName: &stream, StartTime: test.from, EndTime: test.to})
		s.must(err)
		if slices.Contains(messages(res.Events), last.GetMessage()) != test.last {
			t.Errorf("%s: %v", name, res.Events)
		}
		// The search goes on from what was answered, also if that is nothing.
		if res.NextForwardToken == nil || res.NextBackwardToken == nil {
			t.Errorf("%s: tokens are missing", name)
		}
	}
}

// A page without events, too, goes on forwards behind the newest entry of its time.
func TestNothingOldComesForwards(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 2)
	group, stream := s.logOf()
	get := func(req *logsv1.GetLogEventsRequest) *logsv1.GetLogEventsResponse {
		t.Helper()
		req.LogGroupName, req.LogStreamName = &group, &stream
		res, err := s.GetLogEvents(s.as(auditor), req)
		s.must(err)
		return res
	}
	empty := get(&logsv1.GetLogEventsRequest{StartTime: new(time.Now().Add(time.Hour).UnixMilli())})
	if again := get(&logsv1.GetLogEventsRequest{NextToken: empty.NextForwardToken}); len(empty.Events) != 0 || len(again.Events) != 0 {
		t.Errorf("%d events, then %d", len(empty.Events), len(again.Events))
	}
	s.createKey()
	if more := get(&logsv1.GetLogEventsRequest{NextToken: empty.NextForwardToken}); len(more.Events) != 1 {
		t.Errorf("after another key: %v", more)
	}
}

// filtered are the messages of all pages of a filter, and their ids.
func (s *service) filtered(req *logsv1.FilterLogEventsRequest) (texts, ids []string) {
	s.t.Helper()
	for {
		res, err := s.FilterLogEvents(s.as(auditor), req)
		s.must(err)
		for _, e := range res.Events {
			texts, ids = append(texts, e.GetMessage()), append(ids, e.GetEventId())
		}
		if req.NextToken = res.NextToken; req.NextToken == nil {
			return texts, ids
		}
	}
}

func TestFilterLogEvents(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 4)
	group, stream := s.logOf()
	all := s.texts(stream)
	having := func(term string, want bool) []string {
		return slices.DeleteFunc(slices.Clone(all), func(m string) bool { return strings.Contains(m, term) != want })
	}
	for pattern, want := range map[string][]string{
		"":                         all,
		"CN_GENERATE_KEY":          having("CN_GENERATE_KEY", true),
		"-CN_GENERATE_KEY":         having("CN_GENERATE_KEY", false),
		`"HSM Return: SUCCESS"`:    having("HSM Return: SUCCESS", true),
		"CN_GENERATE_KEY CN_LOGIN": nil,
	} {
		for _, limit := range []*int32{nil, new(int32(1))} {
			got, ids := s.filtered(&logsv1.FilterLogEventsRequest{LogGroupName: &group, FilterPattern: &pattern, Limit: limit})
			if !slices.Equal(got, want) || !slices.IsSorted(ids) || len(slices.Compact(ids)) != len(want) {
				t.Errorf("%q: %d events, want %d, ids %v", pattern, len(got), len(want), ids)
			}
		}
	}
	for name, req := range map[string]*logsv1.FilterLogEventsRequest{
		"the stream":        {LogStreamNames: []string{stream}},
		"its prefix":        {LogStreamNamePrefix: new("hsm-")},
		"its time":          {StartTime: new(time.Now().Add(-time.Hour).UnixMilli()), EndTime: new(time.Now().UnixMilli())},
		"newest first":      {StartFromHead: new(false)},
		"interleaved, tail": {Interleaved: new(true), StartTime: new(int64(0))},
	} {
		req.LogGroupName = &group
		got, _ := s.filtered(req)
		if name == "newest first" {
			slices.Reverse(got)
		}
		if !slices.Equal(got, all) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(all))
		}
	}
	// A token goes on in its direction, whatever the request says or leaves out.
	newest, err := s.FilterLogEvents(s.as(auditor), &logsv1.FilterLogEventsRequest{LogGroupName: &group, StartFromHead: new(false), Limit: new(int32(1))})
	s.must(err)
	rest, _ := s.filtered(&logsv1.FilterLogEventsRequest{LogGroupName: &group, NextToken: newest.NextToken})
	if slices.Reverse(rest); !slices.Equal(append(rest, newest.Events[0].GetMessage()), all) {
		t.Errorf("newest first, %d events on the first page and %d behind it, want %d", len(newest.Events), len(rest), len(all))
	}
	for name, req := range map[string]*logsv1.FilterLogEventsRequest{
		"another prefix": {LogStreamNamePrefix: new("x")},
		"the future":     {StartTime: new(time.Now().Add(time.Hour).UnixMilli())},
	} {
		req.LogGroupName = &group
		if got, _ := s.filtered(req); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFilterLogEventsRefuses(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 1)
	group, stream := s.logOf()
	token, err := s.FilterLogEvents(s.as(auditor), &logsv1.FilterLogEventsRequest{LogGroupName: &group, Limit: new(int32(1))})
	s.must(err)
	for name, test := range map[string]struct {
		req  *logsv1.FilterLogEventsRequest
		kind annotationsv1.ErrorKind
		text string
	}{
		"no group":           {&logsv1.FilterLogEventsRequest{}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "Exactly one"},
		"two groups":         {&logsv1.FilterLogEventsRequest{LogGroupName: &group, LogGroupIdentifier: &group}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "Exactly one"},
		"an unknown group":   {&logsv1.FilterLogEventsRequest{LogGroupName: new("/aws/cloudhsm/x")}, annotationsv1.ErrorKind_ERROR_KIND_RESOURCE_NOT_FOUND, "log group"},
		"an unknown stream":  {&logsv1.FilterLogEventsRequest{LogGroupName: &group, LogStreamNames: []string{stream, "x"}}, annotationsv1.ErrorKind_ERROR_KIND_RESOURCE_NOT_FOUND, "log stream"},
		"names and a prefix": {&logsv1.FilterLogEventsRequest{LogGroupName: &group, LogStreamNames: []string{stream}, LogStreamNamePrefix: new("h")}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "mutually exclusive"},
		"JSON":               {&logsv1.FilterLogEventsRequest{LogGroupName: &group, FilterPattern: new("{ $.x = 1 }")}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "JSON"},
		"another's token":    {&logsv1.FilterLogEventsRequest{LogGroupName: &group, FilterPattern: new("x"), NextToken: token.NextToken}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "nextToken"},
		"before 1970":        {&logsv1.FilterLogEventsRequest{LogGroupName: &group, StartTime: new(int64(-1))}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "Value '-1' at 'startTime'"},
		"a limit of 0":       {&logsv1.FilterLogEventsRequest{LogGroupName: &group, Limit: new(int32(0))}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "1 validation error detected: Value '0' at 'limit'"},
	} {
		_, err := s.FilterLogEvents(s.as(auditor), test.req)
		expectKind(t, err, test.kind, test.text)
		if e := s.lastEvent(); e.EventName != "FilterLogEvents" || e.ErrorCode == "" {
			t.Errorf("%s: the last event is %+v", name, e)
		}
	}
	_, err = s.GetLogEvents(s.as(auditor), &logsv1.GetLogEventsRequest{LogGroupName: &group, LogStreamName: new("hsm-none")})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_RESOURCE_NOT_FOUND, "log stream")
	_, err = s.GetLogEvents(s.as(auditor), &logsv1.GetLogEventsRequest{LogGroupName: &group, LogStreamName: &stream, EndTime: new(int64(-2))})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "Value '-2' at 'endTime'")
	for _, bad := range []string{"x", "f/", "b/x", token.GetNextToken()} {
		_, err = s.GetLogEvents(s.as(auditor), &logsv1.GetLogEventsRequest{LogGroupName: &group, LogStreamName: &stream, NextToken: &bad})
		expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "nextToken")
	}
}

// Policies may allow the logs of one cluster only, by ARNs as AWS has them.
func TestPoliciesNameLogGroups(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	reader := "arn:aws:iam::000000000000:user/reader"
	s.startWith(func(c *Config) {
		c.Principals = map[string][]string{admin: {"admin"}, auditor: {"auditor"}, reader: {"reader"}}
		c.Policies = map[string]string{"reader": `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "logs:*",
			"Resource": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/cloudhsm/cluster-*:*"}}`}
	})
	defer s.stop()
	group, stream := s.logOf()
	_, err := s.FilterLogEvents(s.as(reader), &logsv1.FilterLogEventsRequest{LogGroupName: &group})
	s.must(err)
	_, err = s.GetLogEvents(s.as(reader), &logsv1.GetLogEventsRequest{LogGroupName: &group, LogStreamName: &stream})
	s.must(err)
	for name, call := range map[string]func() error{
		"another group": func() error {
			_, err := s.DescribeLogStreams(s.as(reader), &logsv1.DescribeLogStreamsRequest{LogGroupName: new("/aws/cloudhsm/unknown")})
			return err
		},
		"all groups": func() error {
			_, err := s.DescribeLogGroups(s.as(reader), &logsv1.DescribeLogGroupsRequest{})
			return err
		},
		"a user of keys": func() error {
			_, err := s.FilterLogEvents(s.as(app), &logsv1.FilterLogEventsRequest{LogGroupName: &group})
			return err
		},
	} {
		wantKind(t, name, call(), annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED)
	}
}

// The log of an HSM that was replaced stays in its cluster's group, as long as the
// configuration knows which that is.
func TestTheLogOfAnHSMThatIsGone(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.startWith(func(c *Config) {
		c.ClusterOf = func(hsm string) string { return map[string]string{"hsm-gone": "cluster-old"}[hsm] }
	})
	defer s.stop()
	s.boot("hsm-gone", "hsm-nobodys")
	res, err := s.DescribeLogGroups(s.as(auditor), &logsv1.DescribeLogGroupsRequest{})
	s.must(err)
	var names []string
	for _, g := range res.LogGroups {
		names = append(names, g.GetLogGroupName())
	}
	for _, want := range []string{"/aws/cloudhsm/cluster-old", "/aws/cloudhsm/unknown"} {
		if !slices.Contains(names, want) {
			t.Errorf("groups %v lack %s", names, want)
		}
	}
	group := "/aws/cloudhsm/cluster-old"
	streams, err := s.DescribeLogStreams(s.as(auditor), &logsv1.DescribeLogStreamsRequest{LogGroupName: &group})
	if err != nil || len(streams.LogStreams) != 1 || streams.LogStreams[0].LastEventTimestamp != nil {
		t.Errorf("streams: %v, %v", streams, err)
	}
	empty, err := s.GetLogEvents(s.as(auditor), &logsv1.GetLogEventsRequest{LogGroupName: &group, LogStreamName: new("hsm-gone")})
	if err != nil || len(empty.Events) != 0 || empty.NextForwardToken == nil {
		t.Errorf("events: %v, %v", empty, err)
	}
}

// Streams are in the order that is asked for, page by page.
func TestDescribeLogStreamsInPages(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.startWith(func(c *Config) { c.ClusterOf = func(string) string { return "cluster-old" } })
	defer s.stop()
	s.boot("hsm-b", "hsm-c", "hsm-a")
	group := "/aws/cloudhsm/cluster-old"
	for name, test := range map[string]struct {
		req  *logsv1.DescribeLogStreamsRequest
		want string
	}{
		"by name":      {&logsv1.DescribeLogStreamsRequest{LogStreamNamePrefix: new("hsm-")}, "hsm-a hsm-b hsm-c"},
		"descending":   {&logsv1.DescribeLogStreamsRequest{LogStreamNamePrefix: new("hsm-"), Descending: new(true)}, "hsm-c hsm-b hsm-a"},
		"another name": {&logsv1.DescribeLogStreamsRequest{LogStreamNamePrefix: new("hsm-x")}, ""},
	} {
		for _, limit := range []int32{1, 2, 50} {
			req := &logsv1.DescribeLogStreamsRequest{LogGroupName: &group, LogStreamNamePrefix: test.req.LogStreamNamePrefix, Descending: test.req.Descending, Limit: &limit}
			var got []string
			for {
				res, err := s.DescribeLogStreams(s.as(auditor), req)
				s.must(err)
				for _, l := range res.LogStreams {
					if len(l.GetLogStreamName()) == len("hsm-a") { // not that of the token
						got = append(got, l.GetLogStreamName())
					}
				}
				if req.NextToken = res.NextToken; res.NextToken == nil {
					break
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%s, %d a page: %v, want %s", name, limit, got, test.want)
			}
		}
	}
	_, err := s.DescribeLogStreams(s.as(auditor), &logsv1.DescribeLogStreamsRequest{LogGroupName: &group, LogStreamNamePrefix: new("h"), OrderBy: logsv1.OrderBy_ORDER_BY_LAST_EVENT_TIME.Enum()})
	expectKind(t, err, annotationsv1.ErrorKind_ERROR_KIND_INVALID_PARAMETER, "LastEventTime")
}
