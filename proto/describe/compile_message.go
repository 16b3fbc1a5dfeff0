package describe

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// message returns the plan of a message, compiled once. It is entered before its
// fields are, since a message may contain itself.
func (c *compiler) message(desc protoreflect.MessageDescriptor) *Message {
	if m := c.api.messages[desc.FullName()]; m != nil {
		return m
	}
	rule := option[*annotationsv1.MessageRule](desc, annotationsv1.E_Message)
	m := &Message{
		Desc:       desc,
		WireName:   orElse(rule.GetWireName(), string(desc.Name())),
		byWireName: make(map[string]*Field),
	}
	c.api.messages[desc.FullName()] = m
	for i := range desc.Fields().Len() {
		c.addField(m, c.field(desc.Fields().Get(i)))
	}
	for _, f := range m.Fields {
		c.defaultFrom(m, f)
	}
	m.Page, m.Closed = m.byWireName["Truncated"] != nil || rule.GetEmptyLists(), rule.GetClosed()
	m.conditionKeys()
	m.exactlyOne = c.group(m, "exactly_one_of", rule.GetExactlyOneOf(), rule.GetExactlyOneOfText())
	m.atMostOne = c.group(m, "at_most_one_of", rule.GetAtMostOneOf(), rule.GetAtMostOneOfText())
	return m
}

// addField enters a field in its message.
func (c *compiler) addField(m *Message, f *Field) {
	c.require(m.byWireName[f.WireName] == nil, f.Desc, "wire name %q is taken", f.WireName)
	m.byWireName[f.WireName] = f
	m.Fields = append(m.Fields, f)
	if f.Secret || f.omit {
		return
	}
	for _, other := range m.shown {
		c.require(other.EventName != f.EventName, f.Desc, "event name %q is taken", f.EventName)
	}
	m.shown = append(m.shown, f)
}

// defaultFrom resolves event.default_from of a field.
func (c *compiler) defaultFrom(m *Message, f *Field) {
	rule := option[*annotationsv1.FieldRule](f.Desc, annotationsv1.E_Field)
	name := rule.GetEvent().GetDefaultFrom()
	if name == "" {
		return
	}
	f.DefaultFrom = m.byProtoName(name)
	c.require(f.DefaultFrom != nil, f.Desc, "default_from names no field %q", name)
	if f.DefaultFrom != nil {
		c.require(!f.DefaultFrom.Secret, f.Desc, "default_from names the secret field %q", name)
	}
}

// group compiles a rule on how many of several fields may be present; nil if
// there is none.
func (c *compiler) group(m *Message, rule string, names []string, text string) *group {
	c.require((len(names) == 0) == (text == ""), m.Desc, "%s and %s_text need each other", rule, rule)
	if len(names) == 0 {
		return nil
	}
	g := &group{text: text}
	for _, name := range names {
		f := m.byProtoName(name)
		if f == nil {
			c.fail(m.Desc, "%s names no field %q", rule, name)
			continue
		}
		c.require(!f.Required, m.Desc, "%s names the required field %q", rule, name)
		g.fields = append(g.fields, f)
	}
	return g
}

func (m *Message) byProtoName(name string) *Field {
	for _, f := range m.Fields {
		if string(f.Desc.Name()) == name {
			return f
		}
	}
	return nil
}

func (c *compiler) field(desc protoreflect.FieldDescriptor) *Field {
	rule := option[*annotationsv1.FieldRule](desc, annotationsv1.E_Field)
	wireName := orElse(rule.GetWireName(), spelling(desc))
	member := lowerFirst(wireName)
	f := &Field{
		Desc:        desc,
		WireName:    wireName,
		WireKey:     `,"` + wireName + `":`,
		MemberName:  member,
		EventName:   orElse(rule.GetEvent().GetName(), member),
		List:        desc.IsList(),
		Map:         desc.IsMap(),
		Required:    rule.GetRequired(),
		Secret:      isSecret(desc),
		Size:        limits(rule.GetSize()),
		Pattern:     c.pattern(desc, rule.GetPattern()),
		ItemSize:    limits(rule.GetItemSize()),
		ItemPattern: c.pattern(desc, rule.GetItemPattern()),
		MapKeySize:  limits(rule.GetMapKeySize()),
		Reference:   rule.GetReference(),
		Condition:   condition(rule.GetCondition()),
		Default:     defaultJSON(rule.GetEvent()),
		omit:        rule.GetEvent().GetOmit(),
		redacted:    string(desc.Name()) + ": ",
	}
	f.eventKey = []byte(`,"` + f.EventName + `":`)
	c.value(f)
	c.checkField(f, rule)
	f.compileConstraints()
	return f
}

// value sets the kind of a field's value, and the plan of its type.
func (c *compiler) value(f *Field) {
	item := f.Desc
	if f.Map {
		c.require(item.MapKey().Kind() == protoreflect.StringKind, f.Desc, "map keys are not strings")
		item = item.MapValue()
	}
	f.Kind = kindOf(item)
	switch f.Kind {
	case KindInvalid:
		c.fail(f.Desc, "its type is not supported")
	case KindMessage:
		f.Message = c.message(item.Message())
	case KindEnum:
		f.Enum = c.enum(item.Enum())
	}
}

func kindOf(desc protoreflect.FieldDescriptor) Kind {
	switch desc.Kind() {
	case protoreflect.BoolKind:
		return KindBool
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return KindInt
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return KindFloat
	case protoreflect.StringKind:
		return KindString
	case protoreflect.BytesKind:
		return KindBytes
	case protoreflect.EnumKind:
		return KindEnum
	case protoreflect.MessageKind:
		return messageKind(desc.Message().FullName())
	}
	return KindInvalid
}

func messageKind(name protoreflect.FullName) Kind {
	switch {
	case name == "google.protobuf.Timestamp":
		return KindTimestamp
	case name.Parent() == "google.protobuf":
		return KindInvalid
	}
	return KindMessage
}

// enum returns the plan of an enum, compiled once.
func (c *compiler) enum(desc protoreflect.EnumDescriptor) *Enum {
	if e := c.enums[desc.FullName()]; e != nil {
		return e
	}
	e := &Enum{
		Desc:    desc,
		wire:    make(map[protoreflect.EnumNumber]string),
		numbers: make(map[string]protoreflect.EnumNumber),
	}
	c.enums[desc.FullName()] = e
	zero := string(desc.Values().Get(0).Name())
	c.require(strings.HasSuffix(zero, unspecified), desc, "its zero value is not unspecified")
	for i := 1; i < desc.Values().Len(); i++ {
		value := desc.Values().Get(i)
		name := valueName(value)
		_, taken := e.numbers[name]
		c.require(!taken, value, "wire name %q is taken", name)
		e.names = append(e.names, name)
		e.wire[value.Number()] = name
		e.numbers[name] = value.Number()
	}
	return e
}

// pattern compiles a pattern; nil if there is none.
func (c *compiler) pattern(desc protoreflect.FieldDescriptor, text string) *Pattern {
	if text == "" {
		return nil
	}
	p, err := compilePattern(text)
	if err != nil {
		c.fail(desc, "%w", err)
	}
	return p
}

func isSecret(desc protoreflect.FieldDescriptor) bool {
	options, ok := desc.Options().(*descriptorpb.FieldOptions)
	return ok && options.GetDebugRedact()
}

func limits(r *annotationsv1.Range) *Range {
	if r == nil {
		return nil
	}
	return &Range{Min: r.GetMin(), Max: r.GetMax()}
}

func condition(r *annotationsv1.ConditionRule) *Condition {
	if r == nil {
		return nil
	}
	return &Condition{Key: r.GetKey(), EntryPrefix: r.GetEntryPrefix(), Names: r.GetNames()}
}

func defaultJSON(r *annotationsv1.EventRule) []byte {
	if r.GetDefaultJson() == "" {
		return nil
	}
	return []byte(r.GetDefaultJson())
}

// spelling turns a field's name into its name on the wire, as its file spells members.
func spelling(desc protoreflect.FieldDescriptor) string {
	name := upperCamel(string(desc.Name()))
	if option[*annotationsv1.FileRule](desc.ParentFile(), annotationsv1.E_File).GetLowerCamel() {
		return lowerFirst(name)
	}
	return name
}

// upperCamel turns a proto name into a wire name: key_id into KeyId.
func upperCamel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		first, size := utf8.DecodeRuneInString(word)
		if size > 0 {
			b.WriteRune(unicode.ToUpper(first))
		}
		b.WriteString(word[size:])
	}
	return b.String()
}

// lowerFirst lowers the first letter: KeyId becomes keyId, AWSAccountId
// aWSAccountId, as in CloudTrail.
func lowerFirst(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}
