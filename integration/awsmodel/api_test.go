package awsmodel_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// compiled returns the plan of a service.
func compiled(t *testing.T, desc protoreflect.ServiceDescriptor) *describe.Service {
	t.Helper()
	api, err := describe.Compile(desc)
	if err != nil {
		t.Fatal(err)
	}
	return api.Services()[0]
}

// apiFacts returns what a service's plans say.
func apiFacts(t *testing.T, service *describe.Service) facts {
	t.Helper()
	f := make(facts)
	f["service"] = fmt.Sprintf("json %s %s %s %s", service.JSONVersion, service.TargetPrefix, service.SigningName, service.APIVersion)
	for _, m := range service.Methods {
		messageFacts(f, m.Request, true)
	}
	for _, m := range service.Methods {
		methodFacts(f, m)
	}
	checkNamesakes(t, service)
	for number := range annotationsv1.ErrorKind_name {
		kind := annotationsv1.ErrorKind(number)
		answers := func(m *describe.Method) bool { return m.Declares(kind) }
		if rule := describe.ErrorOf(kind); number != 0 && slices.ContainsFunc(service.Methods, answers) {
			f[rule.Name] = exception(rule.ServerFault)
		}
	}
	return f
}

func methodFacts(f facts, m *describe.Method) {
	for _, kind := range m.Errors() {
		f[m.Name+" error "+describe.ErrorOf(kind).Name] = "declared"
	}
	answer := "no body"
	if m.EmptyOutput != annotationsv1.EmptyOutput_EMPTY_OUTPUT_NO_BODY {
		answer = m.Response.WireName
		messageFacts(f, m.Response, false)
	}
	f[m.Name] = "takes " + m.Request.WireName + ", answers " + answer
}

// checkNamesakes checks that answers which are one structure of the model have
// the same members.
func checkNamesakes(t *testing.T, service *describe.Service) {
	t.Helper()
	first := make(map[string]*describe.Method)
	for _, m := range service.Methods {
		other, taken := first[m.Response.WireName]
		if !taken {
			first[m.Response.WireName] = m
			continue
		}
		if !maps.Equal(responseFacts(m), responseFacts(other)) {
			t.Errorf("%s and %s answer different structures of the name %s", other.Name, m.Name, m.Response.WireName)
		}
	}
}

func responseFacts(m *describe.Method) facts {
	f := make(facts)
	messageFacts(f, m.Response, false)
	return f
}

// messageFacts adds the facts of a structure, unless they are there.
func messageFacts(f facts, m *describe.Message, input bool) {
	if !f.add(m.WireName, "structure") {
		return
	}
	for _, field := range m.Fields {
		v := valueOf(field)
		v.required = v.required && input
		v.addTo(f, m.WireName+" "+field.WireName)
		switch field.Kind {
		case describe.KindMessage:
			messageFacts(f, field.Message, input)
		case describe.KindEnum:
			for _, spelling := range field.Enum.Names() {
				f[kindOf(field)+" "+spelling] = "spelling"
			}
		}
	}
}

func valueOf(f *describe.Field) value {
	v := value{
		kind:        kindOf(f),
		size:        rangeOf(f.Size),
		pattern:     patternOf(f.Pattern),
		keySize:     rangeOf(f.MapKeySize),
		itemSize:    rangeOf(f.ItemSize),
		itemPattern: patternOf(f.ItemPattern),
		required:    f.Required,
		secret:      f.Secret,
	}
	switch {
	case f.List:
		v.kind = "list of " + v.kind
	case f.Map:
		v.kind = "map to " + v.kind
	}
	return v
}

// kindOf returns the model's name of a field's type.
func kindOf(f *describe.Field) string {
	switch f.Kind {
	case describe.KindBool:
		return "boolean"
	case describe.KindInt:
		return integerOf(f.Desc.Kind())
	case describe.KindString:
		return "string"
	case describe.KindBytes:
		return "blob"
	case describe.KindTimestamp:
		return "timestamp"
	case describe.KindEnum:
		return string(f.Enum.Desc.Name())
	case describe.KindMessage:
		return f.Message.WireName
	}
	if f.Map {
		return f.Desc.MapValue().Kind().String()
	}
	return f.Desc.Kind().String()
}

func integerOf(kind protoreflect.Kind) string {
	switch kind {
	case protoreflect.Int32Kind:
		return "integer"
	case protoreflect.Int64Kind:
		return "long"
	}
	return kind.String()
}

func rangeOf(r *describe.Range) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%d..%d", r.Min, r.Max)
}

func patternOf(p *describe.Pattern) string {
	if p == nil {
		return ""
	}
	return p.Text
}
