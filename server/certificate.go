package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// requireCertificate refuses what a connection without a client certificate
// asks, health and reflection too. It does so as soon as the headers are there:
// nothing of a stranger's message is read, and no event is written, so that a
// stranger fills neither the memory nor the journal.
func requireCertificate(errs *errorTranslator) grpc.ServerOption {
	refusal := errs.rules[annotationsv1.ErrorKind_ERROR_KIND_MISSING_AUTHENTICATION_TOKEN]
	return grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) {
		if authn.Certified(ctx) {
			return ctx, nil
		}
		return nil, refusal.status("The connection has no client certificate from an authority that this server accepts; the authorities are those of tls.client_ca in its configuration.", "").Err()
	})
}
