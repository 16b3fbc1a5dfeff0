package otlp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // registers the compressor
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/audit/ship"
)

// grpcTransport is OTLP/gRPC.
type grpcTransport struct {
	connection *grpc.ClientConn
	logs       collector.LogsServiceClient
}

func newGRPC(endpoint *url.URL, config *tls.Config) (transport, error) {
	transportCredentials := credentials.NewTLS(config)
	if endpoint.Scheme == "http" {
		transportCredentials = insecure.NewCredentials()
	}
	address := endpoint.Host
	if endpoint.Port() == "" {
		address = net.JoinHostPort(endpoint.Hostname(), "4317")
	}
	connection, err := grpc.NewClient("dns:///"+address, grpc.WithTransportCredentials(transportCredentials),
		grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip")), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to the collector: %w", err)
	}
	return &grpcTransport{connection, collector.NewLogsServiceClient(connection)}, nil
}

func (t *grpcTransport) close() error { return t.connection.Close() }

func (t *grpcTransport) export(ctx context.Context, headers []Header, request *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	for _, h := range headers {
		ctx = metadata.AppendToOutgoingContext(ctx, h.Name, h.Value)
	}
	answer, err := t.logs.Export(ctx, request)
	if err != nil {
		return nil, grpcFate(quoted(status.Convert(err), headers))
	}
	return answer, nil
}

// quoted returns s with its message as it may be told of.
func quoted(s *status.Status, headers []Header) *status.Status {
	p := s.Proto()
	p.Message = Quote(p.GetMessage(), headers)
	return status.FromProto(p)
}

// grpcFate says what becomes of records after a failure. The specification has clients drop
// records after the codes that it does not call retryable. Here only what is said of the
// records themselves is a refusal: a password that has expired, or a collector that is not
// set up yet, must not cost the trails.
func grpcFate(s *status.Status) error {
	after, told := retryInfo(s)
	switch s.Code() {
	case codes.InvalidArgument:
		return &ship.Refusal{Reason: s.Message()}
	case codes.ResourceExhausted:
		if !told {
			return fmt.Errorf("%w: %w", ship.ErrTooLarge, s.Err())
		}
	}
	if told {
		return &ship.Later{After: after, Err: s.Err()}
	}
	return s.Err()
}

// retryInfo returns when the collector wants the next attempt, if it says so.
func retryInfo(s *status.Status) (time.Duration, bool) {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}
