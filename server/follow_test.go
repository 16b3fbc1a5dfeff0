package server

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// follow asks for a stream of events as alice, in process.
func (h *harness) follow(method string, send func(proto.Message) error) *keystore.Error {
	ctx := keystore.NewContext(h.context(), keystore.Caller{Principal: aliceARN, RequestID: "request-1"})
	return h.server.Follow(ctx, StreamRequest{Method: method, Message: &operatorv1.StreamEventsRequest{Last: new(int32(7))}, Send: send})
}

func takesAll(proto.Message) error { return nil }

// streams has the operator service send two events, and then what the test says.
func streams(t *testing.T, then func(context.Context) error) *harness {
	t.Helper()
	h := newHarness(t)
	h.operator.streamEvents = func(s grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
		for i := range uint64(2) {
			if err := s.Send(&operatorv1.StreamEventsResponse{Sequence: &i}); err != nil {
				return err
			}
		}
		return then(s.Context())
	}
	return h.start()
}

func ends(context.Context) error { return nil }

func awaitsItsEnd(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestAStreamInProcessIsSentAsItComes(t *testing.T) {
	h := streams(t, ends)
	var got []uint64
	err := h.follow(streamEventsMethod, func(m proto.Message) error {
		got = append(got, m.(*operatorv1.StreamEventsResponse).GetSequence())
		return nil
	})
	if err != nil || len(got) != 2 || got[1] != 1 {
		t.Errorf("sent %v, %v", got, err)
	}
	if n := h.server.admission.following.inUse(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

// How a stream in process ends, and by which error.
func TestAStreamInProcessEnds(t *testing.T) {
	gone := errors.New("the client has gone")
	for name, test := range map[string]struct {
		method string
		then   func(context.Context) error
		send   func(h *harness) func(proto.Message) error
		want   annotationsv1.ErrorKind
	}{
		"its client": {streamEventsMethod, ends, func(*harness) func(proto.Message) error {
			return func(proto.Message) error { return gone }
		}, annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE},
		"the server": {streamEventsMethod, awaitsItsEnd, func(h *harness) func(proto.Message) error {
			return func(proto.Message) error { h.stop(); return nil }
		}, annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE},
		"the server, which the operation takes for the end": {streamEventsMethod, func(ctx context.Context) error { <-ctx.Done(); return nil }, func(h *harness) func(proto.Message) error {
			return func(proto.Message) error { h.stop(); return nil }
		}, annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE},
		"a panic": {streamEventsMethod, func(context.Context) error { panic("hunter2") }, func(*harness) func(proto.Message) error {
			return takesAll
		}, annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE},
		"no such stream": {describeKeyMethod, ends, func(*harness) func(proto.Message) error {
			return takesAll
		}, annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION},
	} {
		t.Run(name, func(t *testing.T) {
			h := streams(t, test.then)
			if err := h.follow(test.method, test.send(h)); err == nil || err.Kind != test.want {
				t.Errorf("ended by %v, want %v", err, test.want)
			}
		})
	}
}

// Streams in process are among those of the operator service, of which there are so many.
func TestStreamsInProcessHavePlaces(t *testing.T) {
	h := streams(t, ends)
	for range maxFollowing {
		if why := h.server.admission.following.enter("somebody"); why != "" {
			break
		}
	}
	for range maxFollowing {
		if why := h.server.admission.following.enter("somebody else"); why != "" {
			break
		}
	}
	if err := h.follow(streamEventsMethod, takesAll); err == nil || err.Kind != annotationsv1.ErrorKind_ERROR_KIND_THROTTLING {
		t.Errorf("answered %v", err)
	}
	if got := h.rejection(t); got.method != streamEventsMethod || got.caller.RequestID != "request-1" {
		t.Errorf("recorded %+v", got)
	}
}
