package describe

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// Service is the plan of a service.
type Service struct {
	// FullName is the proto name, e.g. "strongroom.kms.v1.KeyManagementService".
	FullName protoreflect.FullName
	// TargetPrefix is the X-Amz-Target header before its last dot, at its longest;
	// empty if the service is not served over the AWS protocols.
	TargetPrefix string
	// JSONVersion is the version of the AWS JSON protocol, e.g. "1.1".
	JSONVersion string
	// EventSource is the eventSource of API events.
	EventSource string
	// IAMPrefix is the part of an IAM action before the colon.
	IAMPrefix string
	// SigningName is the service name in a SigV4 credential scope.
	SigningName string
	// APIVersion is the API version of the AWS model.
	APIVersion string
	// ValidationError is the kind of error for a request outside its limits.
	ValidationError annotationsv1.ErrorKind
	// QueryCompatible says that answers name an error as AWS's Query protocol does, too.
	QueryCompatible bool
	// Methods are the service's methods in the order of the .proto file.
	Methods []*Method
}

// Method is the plan of an operation. Its embedded Service is the one it
// belongs to.
type Method struct {
	*Service

	// Name is the operation's name on the AWS wire and in events, e.g. "Encrypt".
	Name string
	// FullMethod is the gRPC name, "/<service>/<rpc>".
	FullMethod string
	// Actions are the IAM actions that must all be allowed, e.g. "kms:Encrypt".
	Actions []string
	// ReadOnly is readOnly of API events: Encrypt and Decrypt are.
	ReadOnly bool
	// Resource is what the operation acts on, as IAM sees it.
	Resource annotationsv1.ResourceKind
	// Quota is the request-rate quota that the operation draws on.
	Quota annotationsv1.QuotaClass
	// EmptyOutput is the form of an answer without members on the AWS wire.
	EmptyOutput annotationsv1.EmptyOutput
	// CrossAccount says that the operation may act on a key of another account.
	CrossAccount bool
	// ServerStreaming says that the operation answers a stream.
	ServerStreaming bool
	// EventOmitRequest makes requestParameters of API events null.
	EventOmitRequest bool
	// EventResponse says that API events show the answer.
	EventResponse bool
	// Request and Response are the plans of the two messages.
	Request, Response *Message

	errors []annotationsv1.ErrorKind
	allows map[annotationsv1.ErrorKind]bool
}

// targets returns the X-Amz-Target headers that name the method. Of a prefix with
// dots some SDKs send the whole and others only the name behind the last dot, and
// AWS takes both.
func (m *Method) targets() []string {
	if m.TargetPrefix == "" {
		return nil
	}
	all := []string{m.TargetPrefix + "." + m.Name}
	if dot := strings.LastIndexByte(m.TargetPrefix, '.'); dot >= 0 {
		all = append(all, all[0][dot+1:])
	}
	return all
}

// Errors returns the kinds of error that AWS's model declares for the
// operation, in its order.
func (m *Method) Errors() []annotationsv1.ErrorKind { return slices.Clone(m.errors) }

// Declares says whether the operation may answer an error of this kind: one
// that it declares, or a common one.
func (m *Method) Declares(kind annotationsv1.ErrorKind) bool { return m.allows[kind] }

// AppendRequestEvent appends requestParameters of an API event for a request of
// this method, or null where CloudTrail shows none.
func (m *Method) AppendRequestEvent(dst []byte, request proto.Message) []byte {
	if m.EventOmitRequest {
		return append(dst, jsonNull...)
	}
	return m.Request.AppendEvent(dst, request)
}

// AppendResponseEvent appends responseElements of an API event for an answer of
// this method, or null where CloudTrail shows none: it shows answers of mutating
// operations only.
func (m *Method) AppendResponseEvent(dst []byte, response proto.Message) []byte {
	if !m.EventResponse {
		return append(dst, jsonNull...)
	}
	return m.Response.AppendEvent(dst, response)
}
