package keystore

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/filter"
	auditindex "github.com/strongroom-kms/strongroom/audit/index"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// SearchEvents answers a page of API events.
func (o *operator) SearchEvents(ctx context.Context, req *operatorv1.SearchEventsRequest) (*operatorv1.SearchEventsResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_SearchEvents_FullMethodName, req, plan[*operatorv1.SearchEventsResponse]{
		run: func(ctx context.Context, _ *proof) (*operatorv1.SearchEventsResponse, error) {
			s, err := searchForEvents(req.GetSelector())
			if err != nil {
				return nil, err
			}
			records, next, err := o.page(ctx, s, req)
			res := &operatorv1.SearchEventsResponse{NextToken: next}
			for _, r := range records {
				res.Events = append(res.Events, &operatorv1.StreamEventsResponse{Sequence: &r.Seq, EventJson: new(string(r.JSON))})
			}
			return res, err
		},
	})
}

// SearchHsmLog answers a page of HSM audit entries.
func (o *operator) SearchHsmLog(ctx context.Context, req *operatorv1.SearchHsmLogRequest) (*operatorv1.SearchHsmLogResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_SearchHsmLog_FullMethodName, req, plan[*operatorv1.SearchHsmLogResponse]{
		run: func(ctx context.Context, _ *proof) (*operatorv1.SearchHsmLogResponse, error) {
			s, err := searchForEntries(req.GetSelector())
			if err != nil {
				return nil, err
			}
			records, next, err := o.page(ctx, s, req)
			res := &operatorv1.SearchHsmLogResponse{NextToken: next}
			for _, r := range records {
				e, err := audit.ParseHSMEntry(r.JSON)
				if err != nil {
					return nil, unreadable(err)
				}
				e.Record = r.Seq
				res.Entries = append(res.Entries, hsmLogAnswer(e))
			}
			return res, err
		},
	})
}

// searchPage is how many records a page of a search has unless the request says
// otherwise.
const searchPage = 100

// paged is a request for a page.
type paged interface {
	proto.Message
	GetNewestFirst() bool
	GetMaxResults() int32
	GetNextToken() string
}

// page searches for what a request asks for, and returns the token of the next page if there
// may be more.
func (o *operator) page(ctx context.Context, s audit.Search, req paged) ([]audit.Record, *string, error) {
	s.Newest, s.Limit = req.GetNewestFirst(), int(cmp.Or(req.GetMaxResults(), searchPage))
	selected := o.k.selectionOf(req)
	after, ok := selected.record(req.GetNextToken())
	if !ok {
		return nil, nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"The token is not one that was answered to this request: it goes with the same selector and order.")
	}
	s.After = after
	page, err := o.k.trail.Search(ctx, s)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, nil, outOfTime(ctx, "The search").because(err)
	case err != nil:
		return nil, nil, unreadable(err)
	case page.Next == 0:
		return page.Records, nil, nil
	}
	return page.Records, new(selected.recordToken(page.Next)), nil
}

// searchForEvents returns the search for what a selector, which may be nil, selects.
func searchForEvents(sel *operatorv1.EventSelector) (audit.Search, error) {
	s := audit.Search{Kind: audit.RecordEvent}
	s.Terms = whereGiven(
		auditindex.Term{Field: auditindex.EventName, Value: sel.GetEventName()},
		auditindex.Term{Field: auditindex.Resource, Value: sel.GetResource()},
		auditindex.Term{Field: auditindex.Principal, Value: sel.GetPrincipal()},
		auditindex.Term{Field: auditindex.RequestID, Value: sel.GetRequestId()},
		auditindex.Term{Field: auditindex.EventID, Value: sel.GetEventId()},
		auditindex.Term{Field: auditindex.ErrorCode, Value: sel.GetErrorCode()},
		auditindex.Term{Field: auditindex.EventSource, Value: sel.GetEventSource()},
		auditindex.Term{Field: auditindex.AccessKeyID, Value: sel.GetAccessKeyId()},
	)
	if sel != nil && sel.Failed != nil {
		s.Terms = append(s.Terms, auditindex.Flag(auditindex.Failed, sel.GetFailed()))
	}
	if sel != nil && sel.ReadOnly != nil {
		s.Terms = append(s.Terms, auditindex.Flag(auditindex.ReadOnly, sel.GetReadOnly()))
	}
	return s, completeSearch(&s, auditindex.Event, sel.GetStartTime(), sel.GetEndTime(), sel.GetFilter())
}

// searchForEntries returns the search for what a selector, which may be nil, selects.
func searchForEntries(sel *operatorv1.HsmLogSelector) (audit.Search, error) {
	s := audit.Search{Kind: audit.RecordHSMEntry}
	s.Terms = whereGiven(
		auditindex.Term{Field: auditindex.HSM, Value: sel.GetHsmId()},
		auditindex.Term{Field: auditindex.Opcode, Value: sel.GetOpcode()},
		auditindex.Term{Field: auditindex.Key, Value: sel.GetKey()},
		auditindex.Term{Field: auditindex.RequestID, Value: sel.GetRequestId()},
	)
	if sel != nil && sel.Failed != nil {
		s.Terms = append(s.Terms, auditindex.Flag(auditindex.Failed, sel.GetFailed()))
	}
	return s, completeSearch(&s, auditindex.Entry, sel.GetStartTime(), sel.GetEndTime(), sel.GetFilter())
}

// whereGiven returns those terms that have a value.
func whereGiven(some ...auditindex.Term) (all []auditindex.Term) {
	for _, t := range some {
		if t.Value != "" {
			all = append(all, t)
		}
	}
	return all
}

// completeSearch sets what both selectors have.
func completeSearch(s *audit.Search, kind auditindex.Kind, from, to *timestamppb.Timestamp, condition string) (err error) {
	if from != nil {
		s.From = from.AsTime()
	}
	if to != nil {
		s.To = to.AsTime()
	}
	switch {
	case from != nil && !from.IsValid() || to != nil && !to.IsValid():
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "The start or the end time is out of range.")
	case from != nil && to != nil && s.To.Before(s.From):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "The end time is before the start time.")
	case condition == "":
		return nil
	}
	if s.Filter, err = filter.Compile(kind, condition); err != nil {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "The filter is wrong at %v.", err).because(err)
	}
	return nil
}
