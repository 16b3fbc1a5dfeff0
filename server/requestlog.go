package server

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
)

// requestLog writes each request to the log at debug level. It is a help in
// finding faults and nothing more: the record of requests is the audit trail.
type requestLog struct {
	logger hclog.Logger
	redact func(proto.Message) string // may be nil
}

func (l requestLog) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !l.logger.IsDebug() {
		return next(ctx, req)
	}
	start := time.Now()
	resp, err := next(ctx, req)
	l.write(ctx, info.FullMethod, start, err, "request", l.text(req), "response", l.text(resp))
	return resp, err
}

func (l requestLog) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if !l.logger.IsDebug() {
		return next(srv, ss)
	}
	start := time.Now()
	err := next(srv, ss)
	l.write(ss.Context(), info.FullMethod, start, err)
	return err
}

func (l requestLog) write(ctx context.Context, method string, start time.Time, err error, more ...any) {
	caller, _ := keystore.CallerFrom(ctx)
	l.logger.Debug("request", append([]any{
		"method", method,
		"code", status.Code(err),
		"duration", time.Since(start),
		"request_id", caller.RequestID,
		"principal", caller.Principal,
		"source", caller.SourceIP,
	}, more...)...)
}

// text is the message as it may be logged, "" when there is none to show.
func (l requestLog) text(m any) string {
	msg, ok := m.(proto.Message)
	if !ok || l.redact == nil {
		return ""
	}
	return l.redact(msg)
}
