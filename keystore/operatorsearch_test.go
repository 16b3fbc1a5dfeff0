package keystore

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// allEvents asks page by page and returns the names of the events.
func (s *service) allEvents(req *operatorv1.SearchEventsRequest) (names []string) {
	s.t.Helper()
	for {
		res, err := s.Operator().SearchEvents(s.as(auditor), req)
		s.must(err)
		for _, e := range res.GetEvents() {
			var of struct{ EventName string }
			s.must(json.Unmarshal([]byte(e.GetEventJson()), &of))
			names = append(names, of.EventName)
		}
		if req.NextToken = res.NextToken; req.NextToken == nil {
			return names
		}
	}
}

func TestSearchEvents(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key, other := s.createKey(), s.createKey()
	_, err := s.DescribeKey(s.as(app), &kmsv1.DescribeKeyRequest{KeyId: other.KeyId})
	s.must(err)
	if _, err := s.DescribeKey(s.as(nobody), &kmsv1.DescribeKeyRequest{KeyId: key.KeyId}); err == nil {
		t.Fatal("nobody may describe a key")
	}
	_, err = s.DisableKey(s.as(admin), &kmsv1.DisableKeyRequest{KeyId: key.KeyId})
	s.must(err)
	kms := func(sel *operatorv1.EventSelector) *operatorv1.EventSelector {
		sel.EventSource = new("kms.amazonaws.com")
		return sel
	}
	tests := map[string]struct {
		req  *operatorv1.SearchEventsRequest
		want []string
	}{
		"a key, by its id":         {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{Resource: key.KeyId}}, []string{"CreateKey", "DescribeKey", "DisableKey"}},
		"a key, the newest first":  {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{Resource: key.Arn}, NewestFirst: new(true), MaxResults: new(int32(1))}, []string{"DisableKey", "DescribeKey", "CreateKey"}},
		"refused":                  {&operatorv1.SearchEventsRequest{Selector: kms(&operatorv1.EventSelector{Failed: new(true)})}, []string{"DescribeKey"}},
		"by the error":             {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{ErrorCode: new("AccessDeniedException")}}, []string{"DescribeKey"}},
		"of a principal":           {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{Principal: new(app)}}, []string{"DescribeKey"}},
		"that change something":    {&operatorv1.SearchEventsRequest{Selector: kms(&operatorv1.EventSelector{ReadOnly: new(false), EventName: new("DisableKey")})}, []string{"DisableKey"}},
		"by a condition":           {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{Filter: new(`event.eventName.startsWith("Dis") && event.resources[0].ARN == "` + key.GetArn() + `"`)}}, []string{"DisableKey"}},
		"of another time":          {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{StartTime: timestamppb.New(time.Now().Add(time.Hour))}}, nil},
		"of another time, earlier": {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{EndTime: timestamppb.New(time.Now().Add(-time.Hour))}}, nil},
	}
	for what, tt := range tests {
		if diff := cmp.Diff(tt.want, s.allEvents(tt.req)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestSearchHsmLog(t *testing.T) {
	t.Parallel()
	s := startService(t)
	key := s.createKey()
	s.createKey()
	created := s.requestThatMade(key.GetKeyId())
	for what, sel := range map[string]*operatorv1.HsmLogSelector{
		"the key":     {Key: key.KeyId, Opcode: new("CN_GENERATE_KEY")},
		"its ARN":     {Key: key.Arn},
		"the request": {RequestId: &created, Failed: new(false)},
		"a condition": {Filter: new(`entry.function == "C_GenerateKey" && entry.keyLabel == "` + key.GetArn() + `"`)},
	} {
		res, err := s.Operator().SearchHsmLog(s.as(auditor), &operatorv1.SearchHsmLogRequest{Selector: sel})
		s.must(err)
		if len(res.GetEntries()) != 1 || !strings.Contains(res.GetEntries()[0].GetText(), "CN_GENERATE_KEY") || res.NextToken != nil {
			t.Errorf("by %s: %v", what, res)
		}
	}
}

// requestThatMade returns the id of the request that made a key.
func (s *service) requestThatMade(key string) string {
	s.t.Helper()
	res, err := s.Operator().SearchEvents(s.as(auditor), &operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{Resource: &key}})
	s.must(err)
	var of struct{ RequestID string }
	s.must(json.Unmarshal([]byte(res.GetEvents()[0].GetEventJson()), &of))
	return of.RequestID
}

func TestSearchesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for range 3 {
		s.createKey()
	}
	first, err := s.Operator().SearchEvents(s.as(auditor), &operatorv1.SearchEventsRequest{MaxResults: new(int32(1))})
	s.must(err)
	second, err := s.Operator().SearchEvents(s.as(auditor), &operatorv1.SearchEventsRequest{MaxResults: new(int32(1)), NextToken: first.NextToken})
	s.must(err)
	if second.NextToken == nil {
		t.Fatal("there are no more events")
	}
	token := second.GetNextToken()
	tests := map[string]struct {
		req  *operatorv1.SearchEventsRequest
		want string
	}{
		"the token of another selector": {&operatorv1.SearchEventsRequest{NextToken: &token, Selector: &operatorv1.EventSelector{Failed: new(true)}}, "The token is not one"},
		"the token of another order":    {&operatorv1.SearchEventsRequest{NextToken: &token, NewestFirst: new(true)}, "The token is not one"},
		"no token":                      {&operatorv1.SearchEventsRequest{NextToken: new("nonsense")}, "The token is not one"},
		"an end before the start":       {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{StartTime: &timestamppb.Timestamp{Seconds: 9}, EndTime: &timestamppb.Timestamp{Seconds: 8}}}, "The end time is before the start time."},
		"a time that is none":           {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{StartTime: &timestamppb.Timestamp{Seconds: 1 << 60}}}, "out of range"},
		"a filter of nothing":           {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{Filter: new(`event.eventName == `)}}, "The filter is wrong at line 1, column "},
		"a filter of the other trail":   {&operatorv1.SearchEventsRequest{Selector: &operatorv1.EventSelector{Filter: new(`entry.rv == 0`)}}, "undeclared reference to 'entry'"},
	}
	for what, tt := range tests {
		if _, err := s.Operator().SearchEvents(s.as(auditor), tt.req); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Operator().SearchEvents(s.as(app), &operatorv1.SearchEventsRequest{}); err == nil {
		t.Error("everybody may search")
	}
}

// received is a stream's client that keeps what it is sent until it has enough.
type received[T any] struct {
	grpc.ServerStream
	ctx    context.Context
	cancel context.CancelFunc
	enough int
	all    []*T
	next   func()
}

func (r *received[T]) Context() context.Context { return r.ctx }

func (r *received[T]) Send(m *T) error {
	r.all = append(r.all, m)
	if r.next != nil {
		r.next()
	}
	if len(r.all) == r.enough {
		r.cancel()
	}
	return nil
}

func TestStreamsWithASelector(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for range 3 {
		s.createKey()
	}
	ctx, cancel := context.WithCancel(s.as(auditor))
	defer cancel()
	events := &received[operatorv1.StreamEventsResponse]{ctx: ctx, cancel: cancel, enough: 4}
	events.next = func() { // each event that comes has another follow, and some that do not match
		if len(events.all) == 2 {
			s.createKey()
			s.createKey()
		}
	}
	_ = s.Operator().StreamEvents(&operatorv1.StreamEventsRequest{
		Last: new(int32(2)), Follow: new(true), Selector: &operatorv1.EventSelector{Filter: new(`event.eventName == "CreateKey"`)},
	}, events) // it ends because the client went
	var names []string
	for _, e := range events.all {
		var of struct{ EventName string }
		s.must(json.Unmarshal([]byte(e.GetEventJson()), &of))
		names = append(names, of.EventName)
	}
	if want := slices.Repeat([]string{"CreateKey"}, 4); !slices.Equal(want, names) {
		t.Errorf("followed %v", names)
	}
	log := &received[operatorv1.StreamHsmLogResponse]{ctx: s.as(auditor)}
	s.must(s.Operator().StreamHsmLog(&operatorv1.StreamHsmLogRequest{Last: new(int32(2)), Selector: &operatorv1.HsmLogSelector{Opcode: new("CN_GENERATE_KEY")}}, log))
	if len(log.all) != 2 || !strings.Contains(log.all[1].GetText(), "CN_GENERATE_KEY") {
		t.Errorf("entries %v", log.all)
	}
	err := s.Operator().StreamEvents(&operatorv1.StreamEventsRequest{Selector: &operatorv1.EventSelector{Filter: new(`nonsense`)}}, &received[operatorv1.StreamEventsResponse]{ctx: s.as(auditor)})
	if err == nil || !strings.Contains(err.Error(), "undeclared reference to 'nonsense'") {
		t.Errorf("a bad filter: %v", err)
	}
}
