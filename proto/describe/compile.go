package describe

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// Compile compiles the plans of the services and of all messages that they use.
// Its error joins everything that is wrong with their options, each with the
// name of the method, field or value where it is.
func Compile(services ...protoreflect.ServiceDescriptor) (*API, error) {
	c := &compiler{
		api: &API{
			methods:  make(map[string]*Method),
			targets:  make(map[string]*Method),
			messages: make(map[protoreflect.FullName]*Message),
		},
		enums: make(map[protoreflect.FullName]*Enum),
	}
	c.errorKinds()
	for _, desc := range services {
		c.api.services = append(c.api.services, c.service(desc))
	}
	if err := errors.Join(c.problems...); err != nil {
		return nil, fmt.Errorf("compiling the API's descriptors: %w", err)
	}
	return c.api, nil
}

// compiler collects plans, and what is wrong with their descriptors.
type compiler struct {
	api      *API
	enums    map[protoreflect.FullName]*Enum
	common   []annotationsv1.ErrorKind
	problems []error
}

// fail notes a problem with a descriptor.
func (c *compiler) fail(d protoreflect.Descriptor, format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf("%s: %w", d.FullName(), fmt.Errorf(format, args...)))
}

// require notes a problem with a descriptor unless ok.
func (c *compiler) require(ok bool, d protoreflect.Descriptor, format string, args ...any) {
	if !ok {
		c.fail(d, format, args...)
	}
}

// errorKinds checks that every kind of error has a rule and a name of its own,
// and collects the common kinds.
func (c *compiler) errorKinds() {
	values := kindValues()
	seen := make(map[string]bool)
	for i := range values.Len() {
		value := values.Get(i)
		if value.Number() == 0 {
			continue
		}
		rule, ok := errorRule(value)
		c.require(ok && rule.Name != "" && rule.HTTPStatus >= 400, value, "has no name or HTTP status")
		c.require(!seen[rule.Name], value, "name %q is taken", rule.Name)
		seen[rule.Name] = true
		if rule.Common {
			c.common = append(c.common, rule.Kind)
		}
	}
}

func (c *compiler) service(desc protoreflect.ServiceDescriptor) *Service {
	rule := option[*annotationsv1.ServiceRule](desc, annotationsv1.E_Service)
	s := &Service{
		FullName:     desc.FullName(),
		TargetPrefix: rule.GetTargetPrefix(),
		JSONVersion:  rule.GetJsonVersion(),
		EventSource:  rule.GetEventSource(),
		IAMPrefix:    rule.GetIamPrefix(),
		SigningName:  rule.GetSigningName(),
		APIVersion:   rule.GetApiVersion(),

		ValidationError: annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
		QueryCompatible: rule.GetQueryCompatible(),
	}
	if kind := rule.GetValidationError(); kind != annotationsv1.ErrorKind_ERROR_KIND_UNSPECIFIED {
		s.ValidationError = kind
	}
	c.require(s.EventSource != "", desc, "event_source is missing")
	c.require(s.IAMPrefix != "", desc, "iam_prefix is missing")
	if s.TargetPrefix != "" {
		complete := s.JSONVersion != "" && s.SigningName != "" && s.APIVersion != ""
		c.require(complete, desc, "target_prefix needs json_version, signing_name and api_version")
	}
	for i := range desc.Methods().Len() {
		c.add(c.method(s, desc.Methods().Get(i)), desc.Methods().Get(i))
	}
	return s
}

// add enters a method in its service and in the API's indexes.
func (c *compiler) add(m *Method, desc protoreflect.MethodDescriptor) {
	taken := slices.ContainsFunc(m.Methods, func(other *Method) bool { return other.Name == m.Name })
	c.require(!taken, desc, "wire name %q is taken", m.Name)
	m.Methods = append(m.Methods, m)
	c.api.methods[m.FullMethod] = m
	for _, target := range m.targets() {
		c.require(taken || c.api.targets[target] == nil, desc, "target %q is taken", target)
		c.api.targets[target] = m
	}
}

func (c *compiler) method(s *Service, desc protoreflect.MethodDescriptor) *Method {
	rule := option[*annotationsv1.MethodRule](desc, annotationsv1.E_Method)
	name := orElse(rule.GetWireName(), string(desc.Name()))
	m := &Method{
		Service:          s,
		Name:             name,
		FullMethod:       fmt.Sprintf("/%s/%s", s.FullName, desc.Name()),
		Actions:          actions(s.IAMPrefix, name, rule.GetIamActions()),
		ReadOnly:         isReadOnly(desc),
		Resource:         rule.GetResource(),
		Quota:            rule.GetQuota(),
		EmptyOutput:      rule.GetEmptyOutput(),
		CrossAccount:     rule.GetCrossAccount(),
		ServerStreaming:  desc.IsStreamingServer(),
		EventOmitRequest: rule.GetEventOmitRequest(),
		EventResponse:    rule.GetEventResponse(),
		Request:          c.message(desc.Input()),
		Response:         c.message(desc.Output()),
		errors:           rule.GetErrors(),
		allows:           make(map[annotationsv1.ErrorKind]bool),
	}
	for _, kind := range slices.Concat(m.errors, c.common) {
		m.allows[kind] = true
	}
	c.checkMethod(m, desc)
	return m
}

// actions returns the IAM actions of an operation, with their prefix.
func actions(prefix, wireName string, names []string) []string {
	if len(names) == 0 {
		names = []string{wireName}
	}
	qualified := make([]string, len(names))
	for i, name := range names {
		qualified[i] = prefix + ":" + name
	}
	return qualified
}

func isReadOnly(desc protoreflect.MethodDescriptor) bool {
	options, ok := desc.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// option returns the message that an option of d holds, nil if d does not have
// it.
func option[T proto.Message](d protoreflect.Descriptor, extension protoreflect.ExtensionType) T {
	value, _ := proto.GetExtension(d.Options(), extension).(T)
	return value
}

// orElse returns s, or fallback if s is empty.
func orElse(s, fallback string) string {
	if s != "" {
		return s
	}
	return fallback
}
