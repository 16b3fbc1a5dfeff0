package describe

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// show returns the field's value in r for a violation; nothing for secrets,
// bytes and structures.
func (f *Field) show(r protoreflect.Message) string {
	if f.Secret || f.Kind == KindBytes || f.Kind == KindMessage {
		return ""
	}
	s := shower{f, f.misspellings(r)}
	value := r.Get(f.Desc)
	switch {
	case f.Map:
		return Quote(s.entries(value.Map()))
	case f.List:
		return Quote(s.list(value.List()))
	}
	return Quote(s.item(value))
}

// shower writes the values of a field as AWS's violations show them.
type shower struct {
	*Field
	misspelt []string // the spellings that are still to be shown
}

// list returns a list without the items that would be cut off.
func (s *shower) list(list protoreflect.List) string {
	var b strings.Builder
	for i := range list.Len() {
		if b.Len() > maxShown {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.item(list.Get(i)))
	}
	return "[" + b.String() + "]"
}

// entries returns a map without the entries that would be cut off.
func (s *shower) entries(entries protoreflect.Map) string {
	var b strings.Builder
	for i, e := range sortedEntries(entries) {
		if b.Len() > maxShown {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(e.key + "=" + s.item(e.value))
	}
	return "{" + b.String() + "}"
}

func (s *shower) item(v protoreflect.Value) string {
	switch s.Kind {
	case KindString:
		return v.String()
	case KindEnum:
		return s.enum(v.Enum())
	case KindInt:
		return string(appendInt(nil, v))
	}
	return ""
}

// enum returns the spelling of a value, or of what stands in its place; its
// number if it has none.
func (s *shower) enum(n protoreflect.EnumNumber) string {
	if n == misspelt && len(s.misspelt) > 0 {
		spelling := s.misspelt[0]
		s.misspelt = s.misspelt[1:]
		return spelling
	}
	return string(s.Enum.appendText(nil, n))
}

// appendText appends a value's spelling, or its number if it has none.
func (e *Enum) appendText(dst []byte, n protoreflect.EnumNumber) []byte {
	if name, ok := e.wire[n]; ok {
		return append(dst, name...)
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
