package describe

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// ErrorRule describes a kind of error as the AWS protocols know it.
type ErrorRule struct {
	// Kind is the kind of error.
	Kind annotationsv1.ErrorKind
	// Name is the exception's name, e.g. "NotFoundException".
	Name string
	// HTTPStatus is the status that the KMS API Reference gives.
	HTTPStatus int
	// ServerFault says that the fault is the service's, not the caller's.
	ServerFault bool
	// Retryable says that a client may try the same request again.
	Retryable bool
	// Common says that every operation may answer it.
	Common bool
	// QueryName is the error's name in AWS's Query protocol; that of the others unless
	// AWS has another.
	QueryName string
}

// ErrorOf returns the rule of a kind of error. A kind that the API does not
// have is our own mistake, so its rule is that of an internal error.
func ErrorOf(kind annotationsv1.ErrorKind) ErrorRule {
	rule, ok := errorRule(kindValues().ByNumber(kind.Number()))
	if !ok {
		rule, _ = errorRule(kindValues().ByNumber(annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL.Number()))
	}
	return rule
}

// KindByName returns the kind of error with an exception's name.
func KindByName(name string) (kind annotationsv1.ErrorKind, ok bool) {
	values := kindValues()
	for i := range values.Len() {
		if rule, ok := errorRule(values.Get(i)); ok && rule.Name == name {
			return rule.Kind, true
		}
	}
	return annotationsv1.ErrorKind_ERROR_KIND_UNSPECIFIED, false
}

func kindValues() protoreflect.EnumValueDescriptors {
	return annotationsv1.ErrorKind(0).Descriptor().Values()
}

// errorRule reads the rule of a value of ErrorKind; not ok if it has none.
func errorRule(value protoreflect.EnumValueDescriptor) (ErrorRule, bool) {
	if value == nil || !proto.HasExtension(value.Options(), annotationsv1.E_Error) {
		return ErrorRule{}, false
	}
	rule, ok := proto.GetExtension(value.Options(), annotationsv1.E_Error).(*annotationsv1.ErrorRule)
	return ErrorRule{
		Kind:        annotationsv1.ErrorKind(value.Number()),
		Name:        rule.GetName(),
		HTTPStatus:  int(rule.GetHttpStatus()),
		ServerFault: rule.GetServerFault(),
		Retryable:   rule.GetRetryable(),
		Common:      rule.GetCommon(),
		QueryName:   orElse(rule.GetQueryName(), rule.GetName()),
	}, ok
}
