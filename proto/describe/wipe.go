package describe

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Wipe overwrites every secret bytes field of a message, and of the messages in
// it, with zeros. Copies that others have made stay, and so do strings, which
// Go does not let anybody overwrite. A message whose type the API does not have
// is left as it is.
func (a *API) Wipe(msg proto.Message) {
	if msg == nil {
		return
	}
	r := msg.ProtoReflect()
	if m := a.messages[r.Descriptor().FullName()]; m != nil && m.Desc == r.Descriptor() {
		m.wipe(r)
	}
}

func (m *Message) wipe(r protoreflect.Message) {
	for _, f := range m.Fields {
		if (f.Secret && f.Kind == KindBytes || f.Kind == KindMessage) && r.Has(f.Desc) {
			f.wipe(r.Get(f.Desc))
		}
	}
}

// wipe overwrites a field's value, or each item of it.
func (f *Field) wipe(v protoreflect.Value) {
	switch {
	case f.Map:
		v.Map().Range(func(_ protoreflect.MapKey, item protoreflect.Value) bool {
			f.wipeItem(item)
			return true
		})
	case f.List:
		for i := range v.List().Len() {
			f.wipeItem(v.List().Get(i))
		}
	default:
		f.wipeItem(v)
	}
}

func (f *Field) wipeItem(v protoreflect.Value) {
	if f.Kind == KindMessage {
		f.Message.wipe(v.Message())
		return
	}
	clear(v.Bytes())
}
