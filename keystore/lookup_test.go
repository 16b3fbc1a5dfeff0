package keystore

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// with is an attribute of events, by its name in AWS's model.
func with(name, value string) []*cloudtrailv1.LookupAttribute {
	for n, spelling := range cloudtrailv1.LookupAttributeKey_name {
		if strings.EqualFold(strings.ReplaceAll(spelling, "_", ""), "LookupAttributeKey"+name) {
			return []*cloudtrailv1.LookupAttribute{{AttributeKey: cloudtrailv1.LookupAttributeKey(n).Enum(), AttributeValue: &value}}
		}
	}
	panic("there is no attribute " + name)
}

// lookUp answers the events of a request, page by page, newest first.
func lookUp(t *testing.T, k *Keystore, s *service, req *cloudtrailv1.LookupEventsRequest) (all []*cloudtrailv1.Event, pages int) {
	t.Helper()
	for {
		res, err := k.LookupEvents(s.as(auditor), req)
		s.must(err)
		if len(res.Events) > int(req.GetMaxResults()) && req.MaxResults != nil {
			t.Fatalf("a page has %d events", len(res.Events))
		}
		all, pages = append(all, res.Events...), pages+1
		if res.NextToken == nil {
			return all, pages
		}
		req.NextToken = res.NextToken
	}
}

func eventNames(all []*cloudtrailv1.Event) (names []string) {
	for _, e := range all {
		names = append(names, e.GetEventName())
	}
	return names
}

// What is looked up is what happened in the Region that is asked, the newest first, each
// request for it among it.
func TestLookupEvents(t *testing.T) {
	t.Parallel()
	s, r := startRegions(t, virginia, ireland)
	defer s.closeRegions(r)
	key := s.createKey()
	for range 3 {
		_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
		s.must(err)
	}
	_, err := s.Encrypt(s.as(nobody), &kmsv1.EncryptRequest{KeyId: key.KeyId, Plaintext: []byte("x")})
	wantKind(t, "nobody encrypts", err, annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED)
	far, _ := r.Region(ireland)
	_, err = far.ListKeys(s.as(app), &kmsv1.ListKeysRequest{})
	s.must(err)

	all, _ := lookUp(t, s.Keystore, s, &cloudtrailv1.LookupEventsRequest{})
	if got, want := eventNames(all), []string{"Encrypt", "Encrypt", "Encrypt", "Encrypt", "CreateKey"}; !slices.Equal(got[:5], want) {
		t.Errorf("here: %v", got)
	}
	there, _ := lookUp(t, far, s, &cloudtrailv1.LookupEventsRequest{})
	if got := eventNames(there); !slices.Equal(got, []string{"ListKeys"}) {
		t.Errorf("there: %v", got)
	}
	again, _ := lookUp(t, s.Keystore, s, &cloudtrailv1.LookupEventsRequest{MaxResults: new(int32(1))})
	if got := eventNames(again)[0]; got != "LookupEvents" {
		t.Errorf("the newest event is %s", got)
	}

	refused, made := all[0], all[4]
	for name, test := range map[string]struct {
		attributes []*cloudtrailv1.LookupAttribute
		want       []string
	}{
		"EventName":             {with("EventName", "Encrypt"), []string{"Encrypt", "Encrypt", "Encrypt", "Encrypt"}},
		"EventName, no prefix":  {with("EventName", "Encr"), nil},
		"EventId":               {with("EventId", made.GetEventId()), []string{"CreateKey"}},
		"Username":              {with("Username", "admin"), []string{"CreateKey"}},
		"ResourceName":          {with("ResourceName", key.GetArn()), []string{"Encrypt", "Encrypt", "Encrypt", "Encrypt", "CreateKey"}},
		"ResourceName, id":      {with("ResourceName", key.GetKeyId()), []string{"Encrypt", "Encrypt", "Encrypt", "Encrypt", "CreateKey"}},
		"ResourceType":          {with("ResourceType", "AWS::KMS::Key"), []string{"Encrypt", "Encrypt", "Encrypt", "Encrypt", "CreateKey"}},
		"ResourceType, another": {with("ResourceType", "AWS::S3::Bucket"), nil},
		"ReadOnly":              {with("ReadOnly", "FALSE"), []string{"CreateKey"}},
		"AccessKeyId":           {with("AccessKeyId", "AKIANOBODY"), nil},
	} {
		got, _ := lookUp(t, s.Keystore, s, &cloudtrailv1.LookupEventsRequest{LookupAttributes: test.attributes})
		if !slices.Equal(eventNames(got), test.want) {
			t.Errorf("by %s: %v, want %v", name, eventNames(got), test.want)
		}
	}
	if shown := made; shown.GetEventSource() != "kms.amazonaws.com" || shown.GetReadOnly() != "false" || shown.GetUsername() != "admin" ||
		shown.GetResources()[0].GetResourceName() != key.GetArn() || shown.GetResources()[0].GetResourceType() != "AWS::KMS::Key" ||
		shown.AccessKeyId != nil || time.Since(shown.GetEventTime().AsTime()) > time.Minute ||
		!strings.Contains(shown.GetCloudTrailEvent(), `"eventID":"`+shown.GetEventId()+`"`) || !strings.HasPrefix(shown.GetCloudTrailEvent(), `{"eventVersion":`) {
		t.Errorf("CreateKey is shown as %v", shown)
	}
	if !strings.Contains(refused.GetCloudTrailEvent(), "AccessDenied") || refused.GetUsername() != "nobody" {
		t.Errorf("the refusal is shown as %v", refused)
	}
}

// Pages have all events once, while new ones come.
func TestLookupEventsInPages(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for range 7 {
		s.createKey()
	}
	byName := &cloudtrailv1.LookupEventsRequest{LookupAttributes: with("EventName", "CreateKey"), MaxResults: new(int32(3))}
	all, pages := lookUp(t, s.Keystore, s, byName)
	ids := map[string]bool{}
	for _, e := range all {
		ids[e.GetEventId()] = true
	}
	if len(all) != 7 || len(ids) != 7 || pages != 3 {
		t.Errorf("%d events, %d of them different, on %d pages", len(all), len(ids), pages)
	}
	first, err := s.LookupEvents(s.as(auditor), &cloudtrailv1.LookupEventsRequest{MaxResults: new(int32(2))})
	s.must(err)
	s.createKey()
	second, err := s.LookupEvents(s.as(auditor), &cloudtrailv1.LookupEventsRequest{MaxResults: new(int32(50)), NextToken: first.NextToken})
	s.must(err)
	if slices.Contains(eventNames(second.Events), "LookupEvents") && second.Events[0].GetEventId() == first.Events[1].GetEventId() {
		t.Errorf("the second page begins with %v", second.Events[0])
	}
}

// Pages of large events end early, and nothing is left out.
func TestLookupEventsInPagesThatClientsTake(t *testing.T) {
	t.Parallel()
	s := startService(t)
	large := &cloudtrailv1.DescribeTrailsRequest{TrailNameList: slices.Repeat([]string{strings.Repeat("x", 1000)}, 95)}
	for range 15 {
		_, err := s.DescribeTrails(s.as(auditor), large)
		s.must(err)
	}
	req := &cloudtrailv1.LookupEventsRequest{LookupAttributes: with("EventName", "DescribeTrails")}
	first, err := s.LookupEvents(s.as(auditor), req)
	s.must(err)
	if size := proto.Size(first); size < maxLookupBytes || size > maxLookupBytes*5/4 {
		t.Errorf("the first page has %d events in %d bytes", len(first.Events), size)
	}
	if all, pages := lookUp(t, s.Keystore, s, req); len(all) != 15 || pages != 2 {
		t.Errorf("%d events on %d pages", len(all), pages)
	}
}

func TestLookupEventsByTime(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.createKey()
	now := time.Now()
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(d)) }
	created := with("EventName", "CreateKey")
	for name, test := range map[string]struct {
		from, to *timestamppb.Timestamp
		want     int
	}{
		"open":         {nil, nil, 1},
		"from before":  {at(-time.Minute), nil, 1},
		"from after":   {at(time.Minute), nil, 0},
		"until before": {nil, at(-time.Minute), 0},
		"until after":  {nil, at(time.Minute), 1},
		"around":       {at(-time.Minute), at(time.Minute), 1},
	} {
		got, _ := lookUp(t, s.Keystore, s, &cloudtrailv1.LookupEventsRequest{LookupAttributes: created, StartTime: test.from, EndTime: test.to})
		if len(got) != test.want {
			t.Errorf("%s: %d events, want %d", name, len(got), test.want)
		}
	}
	// Both ends are included: the very second of the event.
	made, _ := lookUp(t, s.Keystore, s, &cloudtrailv1.LookupEventsRequest{LookupAttributes: created})
	second := made[0].EventTime
	got, _ := lookUp(t, s.Keystore, s, &cloudtrailv1.LookupEventsRequest{LookupAttributes: created, StartTime: second, EndTime: second})
	if len(got) != 1 {
		t.Errorf("in its own second: %d events", len(got))
	}
}

func TestLookupEventsRefuses(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.createKey()
	token, err := s.LookupEvents(s.as(auditor), &cloudtrailv1.LookupEventsRequest{MaxResults: new(int32(1))})
	s.must(err)
	now, before := timestamppb.Now(), timestamppb.New(time.Now().Add(-time.Hour))
	two := slices.Concat(with("EventName", "a"), with("EventName", "b"))
	for name, test := range map[string]struct {
		req  *cloudtrailv1.LookupEventsRequest
		kind annotationsv1.ErrorKind
	}{
		"two attributes":         {&cloudtrailv1.LookupEventsRequest{LookupAttributes: two}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_LOOKUP_ATTRIBUTES},
		"neither true nor false": {&cloudtrailv1.LookupEventsRequest{LookupAttributes: with("ReadOnly", "maybe")}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_LOOKUP_ATTRIBUTES},
		"an end before":          {&cloudtrailv1.LookupEventsRequest{StartTime: now, EndTime: before}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_TIME_RANGE},
		"a time out of range":    {&cloudtrailv1.LookupEventsRequest{EndTime: &timestamppb.Timestamp{Seconds: math.MaxInt64}}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_TIME_RANGE},
		"no results":             {&cloudtrailv1.LookupEventsRequest{MaxResults: new(int32(0))}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_MAX_RESULTS},
		"51 results":             {&cloudtrailv1.LookupEventsRequest{MaxResults: new(int32(51))}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_MAX_RESULTS},
		"no token":               {&cloudtrailv1.LookupEventsRequest{NextToken: new("x")}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_NEXT_TOKEN},
		"another's token":        {&cloudtrailv1.LookupEventsRequest{NextToken: token.NextToken, StartTime: before}, annotationsv1.ErrorKind_ERROR_KIND_INVALID_NEXT_TOKEN},
		"no value":               {&cloudtrailv1.LookupEventsRequest{LookupAttributes: with("EventName", "")}, annotationsv1.ErrorKind_ERROR_KIND_VALIDATION},
	} {
		_, err := s.LookupEvents(s.as(auditor), test.req)
		wantKind(t, name, err, test.kind)
		if e := s.lastEvent(); e.EventName != "LookupEvents" || e.ErrorCode == "" {
			t.Errorf("%s: the last event is %+v", name, e)
		}
	}
	insights, err := s.LookupEvents(s.as(auditor), &cloudtrailv1.LookupEventsRequest{EventCategory: cloudtrailv1.EventCategory_EVENT_CATEGORY_INSIGHT.Enum()})
	if err != nil || len(insights.Events) != 0 {
		t.Errorf("insights: %v, %v", insights, err)
	}
}

// Whoever uses keys does not read what others do; each attempt leaves its event.
func TestReadingTheTrailsIsAllowedAndRecorded(t *testing.T) {
	t.Parallel()
	s := startService(t)
	_, err := s.LookupEvents(s.as(app), &cloudtrailv1.LookupEventsRequest{LookupAttributes: with("EventName", "CreateKey")})
	wantKind(t, "a user of keys", err, annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED)
	if !strings.Contains(err.Error(), "is not authorized to perform: cloudtrail:LookupEvents on resource: *") {
		t.Error(err)
	}
	_, err = s.LookupEvents(s.as(auditor), &cloudtrailv1.LookupEventsRequest{LookupAttributes: with("EventName", "CreateKey"), MaxResults: new(int32(5))})
	s.must(err)
	e := s.lastEvent()
	want := map[string]any{"lookupAttributes": []any{map[string]any{"attributeKey": "EventName", "attributeValue": "CreateKey"}}, "maxResults": 5.0}
	if diff := cmp.Diff(want, e.RequestParameters); diff != "" || !e.ReadOnly || e.ResponseElements != nil || e.EventName != "LookupEvents" {
		t.Errorf("the event %+v (-want +got):\n%s", e, diff)
	}
}
