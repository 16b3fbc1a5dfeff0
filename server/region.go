package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// maxShownRegion is how much of a Region that there is not is repeated to its
// caller and in the event, in bytes.
const maxShownRegion = 32

// Region answers the requests of a Region: the services that AWS has in each.
type Region interface {
	kmsv1.KeyManagementServiceServer
	cloudtrailv1.CloudTrailServiceServer
	logsv1.LogsServiceServer
	cloudhsmv1.CloudHsmServiceServer
	cloudwatchv1.CloudWatchServiceServer
}

// regionalServices are the services of a Region.
func regionalServices() []*grpc.ServiceDesc {
	return []*grpc.ServiceDesc{
		&kmsv1.KeyManagementService_ServiceDesc, &cloudtrailv1.CloudTrailService_ServiceDesc,
		&logsv1.LogsService_ServiceDesc, &cloudhsmv1.CloudHsmService_ServiceDesc,
		&cloudwatchv1.CloudWatchService_ServiceDesc,
	}
}

// regions hands requests to the Region that they name.
type regions struct {
	named map[string]Region
	names string // for refusals
}

func newRegions(named map[string]Region) *regions {
	return &regions{named: named, names: strings.Join(slices.Sorted(maps.Keys(named)), ", ")}
}

// choosing wraps the generated handler of a method: it is called with the
// service of the Region that the request's header names. A request that names
// none gets the service that was registered, and one that names another than
// there is the refusal to record and to answer.
func (r *regions) choosing(handler grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
		if header := metadata.ValueFromIncomingContext(ctx, authn.RegionHeader); header != nil {
			chosen, ok := r.named[header[0]]
			if ok && len(header) == 1 {
				srv = chosen
			} else if a := arrivalOf(ctx); a.refusal == nil {
				principal, _ := authn.Principal(ctx)
				a.refusal = r.refusal(header, principal != "")
			}
		}
		return handler(srv, ctx, decode, chain)
	}
}

// refusal is the answer to a header that does not name one of the Regions. Which
// there are is told to principals only.
func (r *regions) refusal(header []string, known bool) *keystore.Error {
	e := &keystore.Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_VALIDATION}
	if len(header) > 1 {
		e.Message = fmt.Sprintf("The header %s stands %d times in the request.", authn.RegionHeader, len(header))
		return e
	}
	name := header[0]
	if len(name) > maxShownRegion {
		name = name[:maxShownRegion] + "..."
	}
	e.Message = fmt.Sprintf("The header %s names the Region %q, which this server does not have.", authn.RegionHeader, name)
	if known {
		e.Message += " It has: " + r.names + "."
	}
	return e
}
