package cli

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// requestFlags is the flags of commands that make one request and print its answer.
type requestFlags struct {
	output
	connection
}

// kms has the operations of AWS KMS as methods.
type kms = kmsv1.KeyManagementServiceClient

// operator has the operations of those who run the server as methods.
type operator = operatorv1.OperatorServiceClient

// ask makes a request and prints its answer, for people as show does.
func ask[Req any, Res proto.Message](ctx context.Context, p *Process, flags requestFlags,
	operation func(kms, context.Context, Req, ...grpc.CallOption) (Res, error), request Req, show func(io.Writer, Res) error,
) error {
	return askServer(ctx, p, flags, func(ctx context.Context, client *connect.Client) (Res, error) {
		return operation(client.KMS, ctx, request)
	}, show)
}

// askOperator is ask for an operation of operators.
func askOperator[Req any, Res proto.Message](ctx context.Context, p *Process, flags requestFlags,
	operation func(operator, context.Context, Req, ...grpc.CallOption) (Res, error), request Req, show func(io.Writer, Res) error,
) error {
	return askServer(ctx, p, flags, func(ctx context.Context, client *connect.Client) (Res, error) {
		return operation(client.Operator, ctx, request)
	}, show)
}

func askServer[Res proto.Message](ctx context.Context, p *Process, flags requestFlags,
	get func(context.Context, *connect.Client) (Res, error), show func(io.Writer, Res) error,
) error {
	return flags.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := get(ctx, client)
		if err != nil {
			return err
		}
		return flags.print(p, answer, func(w io.Writer) error { return show(w, answer) })
	})
}

// change makes a request whose answer is empty, and says what is so now.
func change[Req any, Res proto.Message](ctx context.Context, p *Process, flags requestFlags,
	operation func(kms, context.Context, Req, ...grpc.CallOption) (Res, error), request Req, format string, args ...any,
) error {
	return ask(ctx, p, flags, operation, request, said[Res](format, args...))
}

// changeOperator is change for an operation of operators.
func changeOperator[Req any, Res proto.Message](ctx context.Context, p *Process, flags requestFlags,
	operation func(operator, context.Context, Req, ...grpc.CallOption) (Res, error), request Req, format string, args ...any,
) error {
	return askOperator(ctx, p, flags, operation, request, said[Res](format, args...))
}

// said shows an empty answer by words.
func said[Res any](format string, args ...any) func(io.Writer, Res) error {
	return func(w io.Writer, _ Res) error {
		_, err := fmt.Fprintln(w, present.Printable(fmt.Sprintf(format, args...)))
		return err
	}
}

// page is the answer of an operation that lists a page at a time.
type page interface {
	GetTruncated() bool
	GetNextMarker() string
}

// pages gets page after page; next is given the marker of the next one.
func pages(next func(marker *string) (page, error)) error {
	var marker *string
	for {
		p, err := next(marker)
		if err != nil {
			return err
		}
		if !p.GetTruncated() {
			return nil
		}
		marker = new(p.GetNextMarker())
	}
}
