package describe

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxViolations bounds the violations that a ValidationError collects.
const maxViolations = 8

// Validate checks presence, limits, patterns and enum values of msg and of the
// structures inside it, and then which members go together. What it finds wrong
// it returns as a *ValidationError, at most eight violations of it; any other
// error means that msg is not of the plan's type.
func (m *Message) Validate(msg proto.Message) error {
	r := msg.ProtoReflect()
	if r.Descriptor() != m.Desc {
		return fmt.Errorf("validating a %s as %s", r.Descriptor().FullName(), m.Desc.FullName())
	}
	var v validation
	v.message(m, r, "")
	if len(v.violations) > 0 || v.text != "" {
		return &ValidationError{Violations: v.violations, Text: v.text}
	}
	return nil
}

// validation collects what is wrong with a message.
type validation struct {
	violations []Violation
	text       string // the first rule on members that go together which is broken
}

func (v *validation) add(path, value, constraint string) {
	if len(v.violations) < maxViolations {
		v.violations = append(v.violations, Violation{Path: path, Value: value, Constraint: constraint})
	}
}

// message checks r, whose members' paths begin with prefix.
func (v *validation) message(m *Message, r protoreflect.Message, prefix string) {
	for _, f := range m.Fields {
		switch {
		case r.Has(f.Desc):
			v.field(f, r.Get(f.Desc), prefix)
		case f.Required:
			v.add(prefix+f.MemberName, jsonNull, "Member must not be null")
		}
	}
	switch {
	case v.text != "":
	case m.exactlyOne != nil && m.exactlyOne.present(r) != 1:
		v.text = m.exactlyOne.text
	case m.atMostOne != nil && m.atMostOne.present(r) > 1:
		v.text = m.atMostOne.text
	}
}

func (v *validation) field(f *Field, value protoreflect.Value, prefix string) {
	for i := range f.whole {
		if !f.whole[i].holds(value) {
			v.add(prefix+f.MemberName, f.show(value), f.whole[i].text)
		}
	}
	switch {
	case f.Map:
		v.mapItems(f, value, prefix)
	case f.List:
		v.listItems(f, value, prefix)
	case f.Kind == KindMessage:
		v.message(f.Message, value.Message(), prefix+f.MemberName+".")
	}
}

// listItems checks the items of a list. Those that are not structures give one
// violation together, as AWS words it.
func (v *validation) listItems(f *Field, value protoreflect.Value, prefix string) {
	list := value.List()
	bad := false
	for i := range list.Len() {
		if f.Kind == KindMessage {
			path := prefix + f.MemberName + "." + strconv.Itoa(i+1) + ".member."
			v.message(f.Message, list.Get(i).Message(), path)
			continue
		}
		bad = bad || !all(f.items, list.Get(i))
	}
	if bad {
		v.add(prefix+f.MemberName, f.show(value), "Member must satisfy constraint: "+textsOf(f.items))
	}
}

// mapItems checks the keys and values of a map; each give one violation
// together.
func (v *validation) mapItems(f *Field, value protoreflect.Value, prefix string) {
	if len(f.keys) == 0 && len(f.items) == 0 {
		return
	}
	badKey, badValue := false, false
	value.Map().Range(func(key protoreflect.MapKey, item protoreflect.Value) bool {
		badKey = badKey || !all(f.keys, key.Value())
		badValue = badValue || !all(f.items, item)
		return true
	})
	if badKey {
		v.add(prefix+f.MemberName, f.show(value), "Map keys must satisfy constraint: "+textsOf(f.keys))
	}
	if badValue {
		v.add(prefix+f.MemberName, f.show(value), "Map value must satisfy constraint: "+textsOf(f.items))
	}
}

// all says whether a value satisfies every constraint.
func all(list []constraint, v protoreflect.Value) bool {
	for i := range list {
		if !list[i].holds(v) {
			return false
		}
	}
	return true
}

func textsOf(list []constraint) string {
	words := make([]string, len(list))
	for i := range list {
		words[i] = list[i].text
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// show returns a value for a violation; nothing for secrets, bytes and
// structures.
func (f *Field) show(value protoreflect.Value) string {
	switch {
	case f.Secret || f.Kind == KindBytes || f.Kind == KindMessage:
		return ""
	case f.Map:
		return Quote(f.showMap(value.Map()))
	case f.List:
		return Quote(f.showList(value.List()))
	}
	return Quote(f.showItem(value))
}

// showList returns the list in AWS's form, without items that would be cut off.
func (f *Field) showList(list protoreflect.List) string {
	var b strings.Builder
	for i := range list.Len() {
		if b.Len() > maxShown {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.showItem(list.Get(i)))
	}
	return "[" + b.String() + "]"
}

// showMap returns the map in AWS's form, without items that would be cut off.
func (f *Field) showMap(entries protoreflect.Map) string {
	var b strings.Builder
	for i, e := range sortedEntries(entries) {
		if b.Len() > maxShown {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(e.key + "=" + f.showItem(e.value))
	}
	return "{" + b.String() + "}"
}

func (f *Field) showItem(v protoreflect.Value) string {
	switch f.Kind {
	case KindString:
		return v.String()
	case KindEnum:
		return string(f.Enum.appendText(nil, v.Enum()))
	case KindInt:
		return string(appendInt(nil, v))
	}
	return ""
}

// appendText appends a value's spelling, or its number if it has none.
func (e *Enum) appendText(dst []byte, n protoreflect.EnumNumber) []byte {
	if name, ok := e.wire[n]; ok {
		return append(dst, name...)
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
