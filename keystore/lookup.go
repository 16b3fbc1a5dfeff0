package keystore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	auditindex "github.com/strongroom-kms/strongroom/audit/index"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
)

// maxLookup is how many events a page of LookupEvents has at most, and if the request
// does not say. A page ends with the event that brings it to maxLookupBytes, so that
// any client takes it.
const (
	maxLookup      = 50
	maxLookupBytes = 1 << 20
)

// LookupEvents answers the API events of this Region, the newest first.
func (k *Keystore) LookupEvents(ctx context.Context, req *cloudtrailv1.LookupEventsRequest) (*cloudtrailv1.LookupEventsResponse, error) {
	return perform(ctx, k, cloudtrailv1.CloudTrailService_LookupEvents_FullMethodName, req, plan[*cloudtrailv1.LookupEventsResponse]{
		run: func(ctx context.Context, _ *proof) (*cloudtrailv1.LookupEventsResponse, error) {
			s, err := k.lookup(req)
			if err != nil {
				return nil, err
			}
			res := new(cloudtrailv1.LookupEventsResponse)
			if req.EventCategory != nil {
				return res, nil // there are no insights
			}
			size := 0
			next, err := k.seek(ctx, s, func(r audit.Record) (bool, error) {
				e, err := lookedUp(r)
				res.Events, size = append(res.Events, e), size+len(r.JSON)
				return len(res.Events) < s.Limit && size < maxLookupBytes, err
			})
			if err != nil {
				return nil, err
			}
			if next != 0 {
				res.NextToken = new(k.selectionOf(req).recordToken(next))
			}
			return res, nil
		},
	})
}

// lookup is the search that a request asks for.
func (k *Keystore) lookup(req *cloudtrailv1.LookupEventsRequest) (audit.Search, error) {
	s := audit.Search{Kind: audit.RecordEvent, Newest: true, Limit: maxLookup, Terms: []auditindex.Term{{Field: auditindex.Region, Value: k.scope.region}}}
	if req.MaxResults != nil {
		if s.Limit = int(req.GetMaxResults()); s.Limit < 1 || s.Limit > maxLookup {
			return s, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_MAX_RESULTS, "A maximum results value of %d is invalid. Specify a value between 1 and %d.", s.Limit, maxLookup)
		}
	}
	if err := checkTimes(req.StartTime, req.EndTime); err != nil {
		return s, err
	}
	if req.StartTime != nil {
		s.From = req.GetStartTime().AsTime().Truncate(time.Second)
	}
	if req.EndTime != nil {
		s.To = req.GetEndTime().AsTime().Truncate(time.Second).Add(time.Second) // events have whole seconds
	}
	var ok bool
	if s.After, ok = k.selectionOf(req).record(req.GetNextToken()); !ok {
		return s, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_NEXT_TOKEN, "The next token is not one that was answered to the same attributes and times.")
	}
	switch attributes := req.GetLookupAttributes(); len(attributes) {
	case 0:
		return s, nil
	case 1:
		term, err := lookupTerm(attributes[0])
		s.Terms = append(s.Terms, term)
		return s, err
	default:
		return s, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_LOOKUP_ATTRIBUTES, "You can only specify one attribute for lookup events.")
	}
}

// checkTimes refuses times that nobody can mean: outside the years 1 to 9999, which only
// gRPC can send, or an end before the start.
func checkTimes(from, to *timestamppb.Timestamp) error {
	switch {
	case from != nil && !from.IsValid() || to != nil && !to.IsValid():
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_TIME_RANGE, "The start or the end time is out of range.")
	case from != nil && to != nil && to.AsTime().Before(from.AsTime()):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_TIME_RANGE, "The start time must be before the end time.")
	}
	return nil
}

// lookupFields are what attributes are about. A user's name is looked for among the
// ARNs of principals too, since only users have one.
func lookupFields() map[cloudtrailv1.LookupAttributeKey]auditindex.Field {
	return map[cloudtrailv1.LookupAttributeKey]auditindex.Field{
		cloudtrailv1.LookupAttributeKey_LOOKUP_ATTRIBUTE_KEY_EVENT_ID:      auditindex.EventID,
		cloudtrailv1.LookupAttributeKey_LOOKUP_ATTRIBUTE_KEY_EVENT_NAME:    auditindex.EventName,
		cloudtrailv1.LookupAttributeKey_LOOKUP_ATTRIBUTE_KEY_READ_ONLY:     auditindex.ReadOnly,
		cloudtrailv1.LookupAttributeKey_LOOKUP_ATTRIBUTE_KEY_USERNAME:      auditindex.Principal,
		cloudtrailv1.LookupAttributeKey_LOOKUP_ATTRIBUTE_KEY_RESOURCE_TYPE: auditindex.ResourceType,
		cloudtrailv1.LookupAttributeKey_LOOKUP_ATTRIBUTE_KEY_RESOURCE_NAME: auditindex.Resource,
		cloudtrailv1.LookupAttributeKey_LOOKUP_ATTRIBUTE_KEY_EVENT_SOURCE:  auditindex.EventSource,
		cloudtrailv1.LookupAttributeKey_LOOKUP_ATTRIBUTE_KEY_ACCESS_KEY_ID: auditindex.AccessKeyID,
	}
}

// lookupTerm is what an event must have to have an attribute.
func lookupTerm(a *cloudtrailv1.LookupAttribute) (auditindex.Term, error) {
	term := auditindex.Term{Field: lookupFields()[a.GetAttributeKey()], Value: a.GetAttributeValue()}
	if term.Field == auditindex.ReadOnly {
		term.Value = strings.ToLower(term.Value)
		if term.Value != "true" && term.Value != "false" {
			return term, errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_LOOKUP_ATTRIBUTES, "The value of ReadOnly must be true or false.")
		}
	}
	return term, nil
}

// lookedUp is an event as LookupEvents shows it.
func lookedUp(r audit.Record) (*cloudtrailv1.Event, error) {
	var e struct {
		EventID, EventName, EventSource string
		EventTime                       time.Time
		ReadOnly                        bool
		UserIdentity                    struct{ ARN, UserName, AccessKeyID string }
		Resources                       []struct{ Type, ARN string }
	}
	if err := json.Unmarshal(r.JSON, &e); err != nil {
		return nil, fmt.Errorf("reading the event of record %d: %w", r.Seq, err)
	}
	shown := &cloudtrailv1.Event{
		EventId: &e.EventID, EventName: &e.EventName, EventSource: &e.EventSource, EventTime: timestamppb.New(e.EventTime),
		ReadOnly: new(fmt.Sprint(e.ReadOnly)), AccessKeyId: nonEmpty(e.UserIdentity.AccessKeyID),
		Username: nonEmpty(cmp.Or(e.UserIdentity.UserName, e.UserIdentity.ARN)), CloudTrailEvent: new(string(r.JSON)),
	}
	for _, of := range e.Resources {
		shown.Resources = append(shown.Resources, &cloudtrailv1.Resource{ResourceType: &of.Type, ResourceName: &of.ARN})
	}
	return shown, nil
}

// nonEmpty is a text that is absent when it is empty.
func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
