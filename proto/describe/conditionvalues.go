package describe

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ConditionValues returns the values that msg gives an IAM condition key, which
// is in lower case, e.g. "kms:encryptioncontext:department". They are written as
// policies write them: enums by their wire names, numbers in decimal, booleans as
// "true" and "false", times in ISO 8601 and UTC. A field that is absent has the
// value that events show for it, if any; a boolean that is absent has none.
//
// It is not ok if msg does not have the key: the field is absent, the list or map
// is empty, or no entry has the name. Names of entries are compared without
// regard to case, as condition keys are, so entries whose names differ in nothing
// else are all answered. Values of entries, and names, are sorted.
func (m *Message) ConditionValues(msg proto.Message, key string) (values []string, ok bool) {
	if msg == nil {
		return nil, false
	}
	r := msg.ProtoReflect()
	if !r.IsValid() || r.Descriptor() != m.Desc {
		return nil, false
	}
	values = m.appendConditions(nil, r, key)
	return values, len(values) > 0
}

// appendConditions appends the values that r and the structures in it give a key.
func (m *Message) appendConditions(dst []string, r protoreflect.Message, key string) []string {
	for _, source := range m.conditions[key] {
		dst = source.append(dst, r)
	}
	for _, source := range m.entryConditions {
		if name, found := strings.CutPrefix(key, source.prefix); found {
			dst = source.appendNamed(dst, r, name)
		}
	}
	for _, f := range m.conditional {
		dst = f.Message.appendConditions(dst, r.Get(f.Desc).Message(), key)
	}
	return dst
}

// conditionSource reads the values of a condition key from one field.
type conditionSource struct {
	field    *Field
	fallback []string // of an absent field
}

// entrySource reads the values of condition keys that begin with a prefix from
// the entries of one field.
type entrySource struct {
	field  *Field
	prefix string // in lower case
}

// conditionKeys enters the condition keys that the fields of m feed.
func (m *Message) conditionKeys() {
	m.conditions = make(map[string][]conditionSource)
	for _, f := range m.Fields {
		if f.Condition == nil {
			m.structureConditions(f)
			continue
		}
		key := strings.ToLower(orElse(f.Condition.Key, f.Condition.Names))
		m.conditions[key] = append(m.conditions[key], conditionSource{f, f.defaultCondition()})
		if prefix := strings.ToLower(f.Condition.EntryPrefix); prefix != "" {
			m.entryConditions = append(m.entryConditions, entrySource{f, prefix})
		}
	}
}

// structureConditions notes a field that is a structure with fields that feed
// condition keys.
func (m *Message) structureConditions(f *Field) {
	if f.Kind != KindMessage || f.List || f.Map {
		return
	}
	if inner := f.Message; len(inner.conditions) > 0 || len(inner.conditional) > 0 {
		m.conditional = append(m.conditional, f)
	}
}

// defaultCondition returns the value that the field has when it is absent: what
// events show, unless that is a boolean.
func (f *Field) defaultCondition() []string {
	if f.Default == nil || f.Kind == KindBool {
		return nil
	}
	var s string
	if json.Unmarshal(f.Default, &s) != nil {
		s = string(f.Default)
	}
	return []string{s}
}

func (s conditionSource) append(dst []string, r protoreflect.Message) []string {
	f := s.field
	switch {
	case r.Has(f.Desc):
		return f.appendTexts(dst, r.Get(f.Desc))
	case f.DefaultFrom != nil && r.Has(f.DefaultFrom.Desc):
		return f.DefaultFrom.appendTexts(dst, r.Get(f.DefaultFrom.Desc))
	}
	return append(dst, s.fallback...)
}

// appendTexts appends a field's value, each item of a list, or the name of
// each entry.
func (f *Field) appendTexts(dst []string, v protoreflect.Value) []string {
	start := len(dst)
	switch {
	case f.hasEntries():
		f.rangeEntries(v, func(name, _ string) { dst = append(dst, name) })
		slices.Sort(dst[start:])
	case f.List:
		for i := range v.List().Len() {
			dst = append(dst, f.conditionText(v.List().Get(i)))
		}
	default:
		dst = append(dst, f.conditionText(v))
	}
	return dst
}

// appendNamed appends the values of the entries that have a name, which is in
// lower case.
func (s entrySource) appendNamed(dst []string, r protoreflect.Message, want string) []string {
	start := len(dst)
	s.field.rangeEntries(r.Get(s.field.Desc), func(name, value string) {
		if strings.ToLower(name) == want {
			dst = append(dst, value)
		}
	})
	slices.Sort(dst[start:])
	return dst
}

// hasEntries says whether the field is a map, or a list of structures of a name
// and a value.
func (f *Field) hasEntries() bool { return f.Map || f.List && f.Kind == KindMessage }

// rangeEntries visits the entries of a map, or of a list of structures.
func (f *Field) rangeEntries(v protoreflect.Value, visit func(name, value string)) {
	if f.Map {
		v.Map().Range(func(name protoreflect.MapKey, value protoreflect.Value) bool {
			visit(name.String(), value.String())
			return true
		})
		return
	}
	name, value := f.Message.Fields[0].Desc, f.Message.Fields[1].Desc
	for i := range v.List().Len() {
		entry := v.List().Get(i).Message()
		visit(entry.Get(name).String(), entry.Get(value).String())
	}
}

// conditionText writes one value as policies write it.
func (f *Field) conditionText(v protoreflect.Value) string {
	switch f.Kind {
	case KindBool:
		return strconv.FormatBool(v.Bool())
	case KindInt:
		return string(appendInt(nil, v))
	case KindEnum:
		return string(f.Enum.appendText(nil, v.Enum()))
	case KindTimestamp:
		return asTime(v).Format(time.RFC3339Nano)
	}
	return v.String()
}
