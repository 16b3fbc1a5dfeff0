package keystore

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/filter"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/hsmpool"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// Operator returns the service that operators use. Its calls go through
// perform too.
func (k *Keystore) Operator() operatorv1.OperatorServiceServer { return &operator{k: k} }

type operator struct {
	operatorv1.UnimplementedOperatorServiceServer
	k *Keystore
}

// StreamEvents streams API events; its own event is durable before the first
// answer.
func (o *operator) StreamEvents(req *operatorv1.StreamEventsRequest, stream grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
	ctx := stream.Context()
	var q audit.Query
	err := o.admitIf(ctx, operatorv1.OperatorService_StreamEvents_FullMethodName, req, func() error {
		s, err := searchForEvents(req.GetSelector())
		q = queryOf(s, req)
		return err
	})
	if err != nil {
		return err
	}
	events := whileAllowed(ctx, o.k, operatorv1.OperatorService_StreamEvents_FullMethodName, req, o.k.trail.Events(ctx, q))
	return sendAll(ctx, events, stream, func(e audit.EventRecord) *operatorv1.StreamEventsResponse {
		return &operatorv1.StreamEventsResponse{Sequence: &e.Seq, EventJson: new(string(e.JSON))}
	})
}

// StreamHsmLog streams HSM audit entries.
func (o *operator) StreamHsmLog(req *operatorv1.StreamHsmLogRequest, stream grpc.ServerStreamingServer[operatorv1.StreamHsmLogResponse]) error {
	ctx := stream.Context()
	var q audit.Query
	err := o.admitIf(ctx, operatorv1.OperatorService_StreamHsmLog_FullMethodName, req, func() error {
		s, err := searchForEntries(req.GetSelector())
		q = queryOf(s, req)
		q.HSM = req.GetHsmId()
		return err
	})
	if err != nil {
		return err
	}
	entries := whileAllowed(ctx, o.k, operatorv1.OperatorService_StreamHsmLog_FullMethodName, req, o.k.trail.HSMLog(ctx, q))
	return sendAll(ctx, entries, stream, hsmLogAnswer)
}

func hsmLogAnswer(e audit.HSMEntry) *operatorv1.StreamHsmLogResponse {
	return &operatorv1.StreamHsmLogResponse{
		Sequence: &e.Record, HsmId: &e.HSM, Text: new(string(e.AppendText(nil))), EntryJson: new(string(e.AppendJSON(nil))),
	}
}

// queryOf returns what a stream is to yield of what a search finds.
func queryOf(s audit.Search, req interface {
	GetLast() int32
	GetFollow() bool
}) audit.Query {
	return audit.Query{
		Last: int(req.GetLast()), Follow: req.GetFollow(),
		From: s.From, To: s.To, Terms: s.Terms, Filter: s.Filter,
	}
}

// DescribeHsms answers the state of every HSM, those of connected custom key
// stores too, and, if asked, what it can do.
func (o *operator) DescribeHsms(ctx context.Context, req *operatorv1.DescribeHsmsRequest) (*operatorv1.DescribeHsmsResponse, error) {
	return perform(ctx, o.k, operatorv1.OperatorService_DescribeHsms_FullMethodName, req, plan[*operatorv1.DescribeHsmsResponse]{
		run: func(ctx context.Context, p *proof) (*operatorv1.DescribeHsmsResponse, error) {
			res, all := new(operatorv1.DescribeHsmsResponse), o.k.regions.hsms()
			for _, store := range slices.Sorted(maps.Keys(all)) {
				hsms, err := describeHSMs(ctx, all[store], req.GetCapabilities())
				if err != nil {
					return nil, p.hsmError(ctx, err)
				}
				for _, h := range hsms {
					if store != "" {
						h.CustomKeyStoreId = &store
					}
				}
				res.Hsms = append(res.Hsms, hsms...)
			}
			return res, nil
		},
	})
}

// admit performs the opening of a stream.
func (o *operator) admit(ctx context.Context, fullMethod string, req proto.Message) error {
	return o.admitIf(ctx, fullMethod, req, func() error { return nil })
}

// admitIf performs the opening of a stream for a request that may be refused by prepare.
func (o *operator) admitIf(ctx context.Context, fullMethod string, req proto.Message, prepare func() error) error {
	_, err := perform(ctx, o.k, fullMethod, req, plan[proto.Message]{
		run: func(context.Context, *proof) (proto.Message, error) { return nil, prepare() },
	})
	return err
}

// sendAll sends records until there are no more or the client has gone.
func sendAll[Rec, Res any](ctx context.Context, records iter.Seq2[Rec, error], stream grpc.ServerStreamingServer[Res], answer func(Rec) *Res) error {
	for rec, err := range records {
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx) // the client is gone, or the server stops
			}
			return unreadable(err)
		}
		if err := stream.Send(answer(rec)); err != nil {
			return err
		}
	}
	return nil
}

// unreadable is the error of a trail that cannot be read on. Whoever reads the
// trails must hear that they were altered.
func unreadable(err error) *Error {
	var c *journal.Corruption
	switch {
	case errors.As(err, &c):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL,
			"The audit journal is corrupt: %v. Check it with strongroom audit verify.", c).because(err)
	case errors.Is(err, journal.ErrTrimmed):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE,
			"Retention has removed records of the journal before they were read. Begin again.").because(err)
	case errors.Is(err, filter.ErrCost):
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "The filter takes too long on a record.").because(err)
	}
	return AsError(err)
}

func describeHSM(s hsmpool.Status) *operatorv1.HsmDescription {
	d := &operatorv1.HsmDescription{
		HsmId: &s.HSMID, ClusterId: &s.ClusterID, Profile: &s.Profile, LibraryPath: &s.Library,
		TokenLabel: &s.Token.Label, TokenSerial: &s.Token.Serial,
		Manufacturer: &s.Token.Manufacturer, Model: &s.Token.Model, FirmwareVersion: &s.Token.FirmwareVersion,
		LibraryDescription: &s.Token.LibraryDescription, LibraryVersion: &s.Token.LibraryVersion,
		State: stateOf(s.State).Enum(), WorkerPid: new(int32(s.WorkerPID)),
		RebootCounter: &s.RebootCounter, Restarts: &s.Restarts, Sessions: &s.Sessions, Keys: &s.Keys, InFlight: &s.InFlight, Waiting: &s.Waiting,
	}
	if s.Reason != "" {
		d.Reason = &s.Reason
	}
	if s.Warning != "" {
		d.Warning = &s.Warning
	}
	if !s.ReadySince.IsZero() {
		d.ReadySince = timestamppb.New(s.ReadySince)
	}
	return d
}

func stateOf(s hsmpool.State) operatorv1.HsmState {
	switch s {
	case hsmpool.Starting:
		return operatorv1.HsmState_HSM_STATE_STARTING
	case hsmpool.Ready:
		return operatorv1.HsmState_HSM_STATE_READY
	case hsmpool.Stopped:
		return operatorv1.HsmState_HSM_STATE_STOPPED
	case hsmpool.Suspended:
		return operatorv1.HsmState_HSM_STATE_SUSPENDED
	}
	return operatorv1.HsmState_HSM_STATE_UNSPECIFIED
}
