package describe

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What a log line shows at most of a string, in bytes, and of a list or map, in
// items.
const (
	maxLogged      = 256
	maxLoggedItems = 16
)

// Redact returns a message as one line for a log, under proto names: secrets as
// [redacted], other bytes as their length, strings cut after 256 bytes, lists and
// maps after 16 items. Of a message whose type the API does not have it returns
// the type's name alone.
//
// Messages reach a log only through Redact: their own String methods show
// secrets.
func (a *API) Redact(msg proto.Message) string {
	if msg == nil {
		return "nil"
	}
	r := msg.ProtoReflect()
	m := a.messages[r.Descriptor().FullName()]
	if m == nil || m.Desc != r.Descriptor() {
		return string(r.Descriptor().FullName()) + "{...}"
	}
	return string(m.redact([]byte(m.Desc.Name()), r))
}

func (m *Message) redact(dst []byte, r protoreflect.Message) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for _, f := range m.Fields {
		if !r.Has(f.Desc) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, f.redacted...)
		dst = f.redact(dst, r)
	}
	return append(dst, '}')
}

// redact appends the field of r, which has it. It does not read a secret.
func (f *Field) redact(dst []byte, r protoreflect.Message) []byte {
	switch {
	case f.Secret:
		return append(dst, "[redacted]"...)
	case f.Map:
		return f.redactMap(dst, r.Get(f.Desc).Map())
	case f.List:
		return f.redactList(dst, r.Get(f.Desc).List())
	}
	return f.redactItem(dst, r.Get(f.Desc))
}

func (f *Field) redactList(dst []byte, list protoreflect.List) []byte {
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if i == maxLoggedItems {
			dst = append(dst, "..."...)
			break
		}
		dst = f.redactItem(dst, list.Get(i))
	}
	return append(dst, ']')
}

func (f *Field) redactMap(dst []byte, entries protoreflect.Map) []byte {
	dst = append(dst, '{')
	for i, e := range sortedEntries(entries) {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if i == maxLoggedItems {
			dst = append(dst, "..."...)
			break
		}
		dst = append(strconv.AppendQuote(dst, clip(e.key, maxLogged)), ": "...)
		dst = f.redactItem(dst, e.value)
	}
	return append(dst, '}')
}

// redactItem appends one value that is neither a list nor a map.
func (f *Field) redactItem(dst []byte, v protoreflect.Value) []byte {
	switch f.Kind {
	case KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case KindInt:
		return appendInt(dst, v)
	case KindFloat:
		return strconv.AppendFloat(dst, v.Float(), 'g', -1, 64)
	case KindString:
		return strconv.AppendQuote(dst, clip(v.String(), maxLogged))
	case KindBytes:
		return append(strconv.AppendInt(dst, int64(len(v.Bytes())), 10), " bytes"...)
	case KindEnum:
		return f.Enum.appendText(dst, v.Enum())
	case KindTimestamp:
		return asTime(v).AppendFormat(dst, time.RFC3339Nano)
	case KindMessage:
		return f.Message.redact(dst, v.Message())
	}
	return dst
}
