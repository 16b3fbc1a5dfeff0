package describe

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// Message is the plan of a message.
type Message struct {
	// Desc describes the message.
	Desc protoreflect.MessageDescriptor
	// WireName is the message's name in the AWS model.
	WireName string
	// Fields are the message's fields in the order of the .proto file.
	Fields []*Field
	// Page says that AWS answers the message's lists even when they are empty: it is a
	// page of a list (it has the member Truncated), or says so.
	Page bool
	// Closed says that a member of another name than the message has is an error.
	Closed bool

	byWireName map[string]*Field
	shown      []*Field // in events
	exactlyOne *group   // nil: no such rule
	atMostOne  *group   // nil: no such rule

	conditions      map[string][]conditionSource // by condition key in lower case
	entryConditions []entrySource
	conditional     []*Field // structures whose fields feed condition keys
}

// ByWireName returns the field with a name on the AWS wire, or nil.
func (m *Message) ByWireName(name string) *Field { return m.byWireName[name] }

// group is a set of fields of which a certain number may be present.
type group struct {
	fields []*Field
	text   string // AWS's message when that is not so
}

// present returns how many of the group's fields r has.
func (g *group) present(r protoreflect.Message) int {
	n := 0
	for _, f := range g.fields {
		if r.Has(f.Desc) {
			n++
		}
	}
	return n
}

// Kind is the type of a field's value as the AWS protocols know it.
type Kind int

// The kinds of a value. Every integer type of proto is a KindInt.
const (
	KindInvalid Kind = iota
	KindBool
	KindInt
	KindFloat
	KindString
	KindBytes
	KindEnum
	KindTimestamp
	KindMessage
)

// Field is the plan of a field.
type Field struct {
	// Desc describes the field.
	Desc protoreflect.FieldDescriptor
	// WireName is the member's name on the AWS wire, e.g. "KeyId".
	WireName string
	// WireKey is what an object of the AWS JSON protocols has before the
	// member's value: a comma, the wire name in quotes, and a colon.
	WireKey string
	// MemberName is the member's name in validation messages, e.g. "keyId".
	MemberName string
	// EventName is the member's name in API events.
	EventName string
	// Kind is the type of the value; of each item if List or Map is set.
	Kind Kind
	// List and Map say that the field is a list, or a map from strings.
	List, Map bool
	// Message is the plan of a KindMessage value, otherwise nil.
	Message *Message
	// Enum is the plan of a KindEnum value, otherwise nil.
	Enum *Enum
	// Required says that a request must have the field.
	Required bool
	// Secret says that the field is shown nowhere.
	Secret bool
	// Size limits a string (characters), bytes (octets), a list or map (items)
	// or an integer (value). Nil: no limits.
	Size *Range
	// Pattern is what a string must match. Nil: anything.
	Pattern *Pattern
	// ItemSize and ItemPattern limit each item of a list or value of a map.
	ItemSize    *Range
	ItemPattern *Pattern
	// MapKeySize limits each key of a map.
	MapKeySize *Range
	// Reference is what the field names.
	Reference annotationsv1.ReferenceKind
	// Condition is the IAM condition keys that the field feeds. Nil: none.
	Condition *Condition
	// Default is the JSON that an event shows for an absent field, and
	// DefaultFrom the field whose value it prefers to that. Nil: none.
	Default     []byte
	DefaultFrom *Field

	omit     bool   // from events
	eventKey []byte // a comma, the event name in quotes, a colon
	redacted string // the proto name and a colon, for logs
	whole    []constraint
	items    []constraint
	keys     []constraint
}

// Range is a closed interval.
type Range struct {
	// Min and Max are its ends.
	Min, Max int64
}

// Condition names the IAM condition keys that a field feeds, with their
// prefixes. See strongroom.annotations.v1.ConditionRule.
type Condition struct {
	// Key has the field's value.
	Key string
	// EntryPrefix, and an entry's name, has the entry's value.
	EntryPrefix string
	// Names has the names of all entries.
	Names string
}

// Enum is the plan of an enum.
type Enum struct {
	// Desc describes the enum.
	Desc protoreflect.EnumDescriptor

	names   []string
	wire    map[protoreflect.EnumNumber]string
	numbers map[string]protoreflect.EnumNumber
}

// Names returns the spellings on the AWS wire in the order of the .proto file.
func (e *Enum) Names() []string { return slices.Clone(e.names) }

// WireName returns the spelling of a value on the AWS wire; not ok for the
// unspecified value and for numbers that the enum does not have.
func (e *Enum) WireName(n protoreflect.EnumNumber) (name string, ok bool) {
	name, ok = e.wire[n]
	return name, ok
}

// Number returns the value with a spelling on the AWS wire.
func (e *Enum) Number(wireName string) (n protoreflect.EnumNumber, ok bool) {
	n, ok = e.numbers[wireName]
	return n, ok
}
