package describe

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// misspelt stands in an enum field for a spelling that the enum does not have.
const misspelt protoreflect.EnumNumber = -1

// Misspelt notes in r, whose field f is, a spelling that the field's enum does
// not have, and returns the value that a codec puts in its place: the field's
// own, or the next one of its list. Validate and AppendEvent then show what was
// spelt, not the number.
//
// A spelling is kept as protobuf keeps whatever a message type cannot hold: as
// an unknown field of r, with the field's number and the type of a string. r shares what
// it has of those with no other message.
func (f *Field) Misspelt(r protoreflect.Message, spelling string) protoreflect.Value {
	unknown := protowire.AppendTag(r.GetUnknown(), f.Desc.Number(), protowire.BytesType)
	r.SetUnknown(protowire.AppendString(unknown, spelling))
	return protoreflect.ValueOfEnum(misspelt)
}

// misspellings returns what Misspelt has noted of the field in r, in its order.
func (f *Field) misspellings(r protoreflect.Message) []string {
	if f.Kind != KindEnum {
		return nil
	}
	var spellings []string
	for unknown := []byte(r.GetUnknown()); len(unknown) > 0; {
		number, kind, size := protowire.ConsumeField(unknown)
		if size < 0 {
			break // no codec keeps a broken one
		}
		if number == f.Desc.Number() && kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(unknown)
			text, _ := protowire.ConsumeBytes(unknown[tag:])
			spellings = append(spellings, strings.ToValidUTF8(string(text), "\ufffd"))
		}
		unknown = unknown[size:]
	}
	return spellings
}
