package describe

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// unspecified is how the name of every enum's zero value ends.
const unspecified = "UNSPECIFIED"

// WireName is an enum value's spelling on the AWS wire; of a value that the
// enum does not have, its number. It is for messages, not for hot paths.
func WireName(e protoreflect.Enum) string {
	value := e.Descriptor().Values().ByNumber(e.Number())
	if value == nil {
		return strconv.Itoa(int(e.Number()))
	}
	return valueName(value)
}

// valueName returns a value's spelling on the AWS wire: the one that its rule
// says, or its name without the enum's prefix, which is what stands before
// UNSPECIFIED in the name of the zero value.
func valueName(value protoreflect.EnumValueDescriptor) string {
	rule := option[*annotationsv1.EnumValueRule](value, annotationsv1.E_Value)
	enum, ok := value.Parent().(protoreflect.EnumDescriptor)
	if rule.GetWireName() != "" || !ok {
		return rule.GetWireName()
	}
	prefix := strings.TrimSuffix(string(enum.Values().Get(0).Name()), unspecified)
	return strings.TrimPrefix(string(value.Name()), prefix)
}
