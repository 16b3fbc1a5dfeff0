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
			v.field(f, r, prefix)
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

// field checks the field of r, which has it.
func (v *validation) field(f *Field, r protoreflect.Message, prefix string) {
	value := r.Get(f.Desc)
	for i := range f.whole {
		if !f.whole[i].holds(value) {
			v.add(prefix+f.MemberName, f.show(r), f.whole[i].text)
		}
	}
	switch {
	case f.Map:
		v.mapItems(f, r, prefix)
	case f.List:
		v.listItems(f, r, prefix)
	case f.Kind == KindMessage:
		v.message(f.Message, value.Message(), prefix+f.MemberName+".")
	}
}

// listItems checks the items of a list. Those that are not structures give one
// violation together, as AWS words it.
func (v *validation) listItems(f *Field, r protoreflect.Message, prefix string) {
	list := r.Get(f.Desc).List()
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
		v.add(prefix+f.MemberName, f.show(r), "Member must satisfy constraint: "+textsOf(f.items))
	}
}

// mapItems checks the keys and values of a map; each give one violation
// together.
func (v *validation) mapItems(f *Field, r protoreflect.Message, prefix string) {
	if len(f.keys) == 0 && len(f.items) == 0 {
		return
	}
	badKey, badValue := false, false
	r.Get(f.Desc).Map().Range(func(key protoreflect.MapKey, item protoreflect.Value) bool {
		badKey = badKey || !all(f.keys, key.Value())
		badValue = badValue || !all(f.items, item)
		return true
	})
	if badKey {
		v.add(prefix+f.MemberName, f.show(r), "Map keys must satisfy constraint: "+textsOf(f.keys))
	}
	if badValue {
		v.add(prefix+f.MemberName, f.show(r), "Map value must satisfy constraint: "+textsOf(f.items))
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
