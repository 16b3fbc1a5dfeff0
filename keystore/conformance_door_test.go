package keystore

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// hasUnknownEnum says whether a message has a value that its enum does not have,
// for which there is no spelling.
func hasUnknownEnum(m proto.Message) bool {
	found := false
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() != protoreflect.EnumKind {
			return true
		}
		numbers := []protoreflect.EnumNumber{}
		if f.IsList() {
			for i := range v.List().Len() {
				numbers = append(numbers, v.List().Get(i).Enum())
			}
		} else {
			numbers = append(numbers, v.Enum())
		}
		for _, n := range numbers {
			found = found || f.Enum().Values().ByNumber(n) == nil
		}
		return !found
	})
	return found
}
