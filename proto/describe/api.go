package describe

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// API holds the plans of a set of services.
type API struct {
	services []*Service
	methods  map[string]*Method
	targets  map[string]*Method
	messages map[protoreflect.FullName]*Message
}

// Services returns the services in the order in which Compile was given them.
func (a *API) Services() []*Service { return slices.Clone(a.services) }

// Method returns the plan of a gRPC method by its full name, such as
// "/strongroom.kms.v1.KeyManagementService/Encrypt", or nil.
func (a *API) Method(fullMethod string) *Method { return a.methods[fullMethod] }

// Target returns the plan of the method that an X-Amz-Target header names, such
// as "TrentService.Encrypt", in each of the forms that SDKs give it, or nil.
func (a *API) Target(target string) *Method { return a.targets[target] }

// Message returns the plan of a message that a method takes or answers, or of
// one inside such a message, or nil.
func (a *API) Message(name protoreflect.FullName) *Message { return a.messages[name] }
