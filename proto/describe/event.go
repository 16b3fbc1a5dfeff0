package describe

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/jsonenc"
)

const (
	jsonNull = "null"
	// eventTime is how CloudTrail writes times inside requestParameters and
	// responseElements, in UTC.
	eventTime = "Jan 2, 2006, 3:04:05 PM"
)

// AppendEvent appends msg to dst as the JSON of requestParameters or
// responseElements of an API event: members under their event names, in the
// order of the .proto file; secrets and members that CloudTrail omits left out;
// CloudTrail's defaults filled in; enums by their wire names, times as text,
// bytes in base64, maps sorted by key. It appends null for a nil message, for one
// of another type than the plan's, and for one without anything to show.
func (m *Message) AppendEvent(dst []byte, msg proto.Message) []byte {
	if msg == nil {
		return append(dst, jsonNull...)
	}
	r := msg.ProtoReflect()
	if !r.IsValid() || r.Descriptor() != m.Desc {
		return append(dst, jsonNull...)
	}
	start := len(dst)
	dst = m.appendObject(dst, r)
	if len(dst) == start+len("{}") {
		return append(dst[:start], jsonNull...)
	}
	return dst
}

// appendObject appends r as a JSON object. Each member begins with a comma; the
// first one's becomes the opening brace.
func (m *Message) appendObject(dst []byte, r protoreflect.Message) []byte {
	start := len(dst)
	for _, f := range m.shown {
		dst = f.appendMember(dst, r)
	}
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{'
	return append(dst, '}')
}

// appendMember appends the field of r, its default, or nothing.
func (f *Field) appendMember(dst []byte, r protoreflect.Message) []byte {
	switch {
	case r.Has(f.Desc):
		return f.appendPresent(append(dst, f.eventKey...), r)
	case f.DefaultFrom != nil && r.Has(f.DefaultFrom.Desc):
		return f.DefaultFrom.appendValue(append(dst, f.eventKey...), r.Get(f.DefaultFrom.Desc))
	case f.Default != nil:
		return append(append(dst, f.eventKey...), f.Default...)
	}
	return dst
}

// appendPresent appends the field of r, which has it.
func (f *Field) appendPresent(dst []byte, r protoreflect.Message) []byte {
	if f.Kind == KindEnum && !f.Map && len(r.GetUnknown()) > 0 {
		if spellings := f.misspellings(r); len(spellings) > 0 {
			return f.appendSpelt(dst, r.Get(f.Desc), shower{f, spellings})
		}
	}
	return f.appendValue(dst, r.Get(f.Desc))
}

// appendSpelt appends an enum, or a list of them, with spellings that the enum
// does not have.
func (f *Field) appendSpelt(dst []byte, v protoreflect.Value, s shower) []byte {
	if !f.List {
		return jsonenc.AppendString(dst, s.enum(v.Enum()))
	}
	dst = append(dst, '[')
	for i := range v.List().Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonenc.AppendString(dst, s.enum(v.List().Get(i).Enum()))
	}
	return append(dst, ']')
}

func (f *Field) appendValue(dst []byte, v protoreflect.Value) []byte {
	switch {
	case f.Map:
		return f.appendMap(dst, v.Map())
	case f.List:
		return f.appendList(dst, v.List())
	}
	return f.appendItem(dst, v)
}

func (f *Field) appendList(dst []byte, list protoreflect.List) []byte {
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = f.appendItem(dst, list.Get(i))
	}
	return append(dst, ']')
}

func (f *Field) appendMap(dst []byte, entries protoreflect.Map) []byte {
	dst = append(dst, '{')
	for i, e := range sortedEntries(entries) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonenc.AppendString(dst, e.key), ':')
		dst = f.appendItem(dst, e.value)
	}
	return append(dst, '}')
}

// appendItem appends one value that is neither a list nor a map.
func (f *Field) appendItem(dst []byte, v protoreflect.Value) []byte {
	switch f.Kind {
	case KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case KindInt:
		return appendInt(dst, v)
	case KindFloat:
		return appendFloat(dst, v.Float())
	case KindString:
		return jsonenc.AppendString(dst, v.String())
	case KindBytes:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v.Bytes())
		return append(dst, '"')
	case KindEnum:
		return f.Enum.appendJSON(dst, v.Enum())
	case KindTimestamp:
		dst = asTime(v).AppendFormat(append(dst, '"'), eventTime)
		return append(dst, '"')
	case KindMessage:
		return f.Message.appendObject(dst, v.Message())
	}
	return append(dst, jsonNull...)
}

// appendJSON appends a value's spelling, or its number if it has none.
func (e *Enum) appendJSON(dst []byte, n protoreflect.EnumNumber) []byte {
	if name, ok := e.wire[n]; ok {
		return jsonenc.AppendString(dst, name)
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

func appendInt(dst []byte, v protoreflect.Value) []byte {
	switch n := v.Interface().(type) {
	case uint32:
		return strconv.AppendUint(dst, uint64(n), 10)
	case uint64:
		return strconv.AppendUint(dst, n, 10)
	}
	return strconv.AppendInt(dst, v.Int(), 10)
}

// appendFloat appends a number, or null for one that JSON does not have.
func appendFloat(dst []byte, n float64) []byte {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return append(dst, jsonNull...)
	}
	return strconv.AppendFloat(dst, n, 'g', -1, 64)
}

// asTime returns the time of a google.protobuf.Timestamp value, in UTC. It reads
// the fields by number, so that dynamic messages do as well.
func asTime(v protoreflect.Value) time.Time {
	m := v.Message()
	fields := m.Descriptor().Fields()
	seconds, nanos := m.Get(fields.ByNumber(1)).Int(), m.Get(fields.ByNumber(2)).Int()
	return time.Unix(seconds, nanos).UTC()
}

// mapEntry is an entry of a map from strings.
type mapEntry struct {
	key   string
	value protoreflect.Value
}

// sortedEntries returns the entries of a map from strings in the order of the
// bytes of their keys.
func sortedEntries(entries protoreflect.Map) []mapEntry {
	list := make([]mapEntry, 0, entries.Len())
	entries.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		list = append(list, mapEntry{key.String(), value})
		return true
	})
	slices.SortFunc(list, func(a, b mapEntry) int { return strings.Compare(a.key, b.key) })
	return list
}
