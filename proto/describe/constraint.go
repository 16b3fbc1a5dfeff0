package describe

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// constraint is one limit of a value.
type constraint struct {
	// text says what the value must satisfy, in AWS's words.
	text  string
	holds func(protoreflect.Value) bool
}

// compileConstraints turns the field's limits into constraints: of the whole
// value, of each item of a list or value of a map, and of each key of a map.
func (f *Field) compileConstraints() {
	if !f.List && !f.Map {
		f.whole = f.valueConstraints(f.Size, f.Pattern)
		return
	}
	f.whole = lengthConstraints(f.Size, f.countOf())
	f.items = f.valueConstraints(f.ItemSize, f.ItemPattern)
	f.keys = lengthConstraints(f.MapKeySize, characters)
}

// valueConstraints returns the constraints of one value of the field's kind.
func (f *Field) valueConstraints(size *Range, pattern *Pattern) []constraint {
	var list []constraint
	switch f.Kind {
	case KindString:
		list = lengthConstraints(size, characters)
	case KindBytes:
		list = lengthConstraints(size, octets)
	case KindInt:
		list = rangeConstraints(size, number, valueMost, valueLeast)
	case KindEnum:
		list = append(list, f.Enum.constraint())
	}
	if pattern != nil {
		list = append(list, pattern.constraint())
	}
	return list
}

// AWS's words for the two ends of a range of lengths, and of numbers.
const (
	lengthMost  = "Member must have length less than or equal to "
	lengthLeast = "Member must have length greater than or equal to "
	valueMost   = "Member must have value less than or equal to "
	valueLeast  = "Member must have value greater than or equal to "
)

// lengthConstraints returns the constraints of a range of lengths, nil if there
// is none.
func lengthConstraints(r *Range, length func(protoreflect.Value) int64) []constraint {
	return rangeConstraints(r, length, lengthMost, lengthLeast)
}

func rangeConstraints(r *Range, measure func(protoreflect.Value) int64, most, least string) []constraint {
	if r == nil {
		return nil
	}
	return []constraint{
		{most + strconv.FormatInt(r.Max, 10), func(v protoreflect.Value) bool { return measure(v) <= r.Max }},
		{least + strconv.FormatInt(r.Min, 10), func(v protoreflect.Value) bool { return measure(v) >= r.Min }},
	}
}

func (p *Pattern) constraint() constraint {
	return constraint{
		"Member must satisfy regular expression pattern: " + p.Text,
		func(v protoreflect.Value) bool { return p.Match(v.String()) },
	}
}

func (e *Enum) constraint() constraint {
	return constraint{
		"Member must satisfy enum value set: [" + strings.Join(e.names, ", ") + "]",
		func(v protoreflect.Value) bool { _, ok := e.wire[v.Enum()]; return ok },
	}
}

func characters(v protoreflect.Value) int64 { return int64(utf8.RuneCountInString(v.String())) }

func octets(v protoreflect.Value) int64 { return int64(len(v.Bytes())) }

// number returns an integer; one past the greatest int64 becomes that.
func number(v protoreflect.Value) int64 {
	switch n := v.Interface().(type) {
	case uint32:
		return int64(n)
	case uint64:
		return int64(min(n, 1<<63-1))
	}
	return v.Int()
}

// countOf returns the function that counts the items of the field's list or map.
func (f *Field) countOf() func(protoreflect.Value) int64 {
	if f.Map {
		return func(v protoreflect.Value) int64 { return int64(v.Map().Len()) }
	}
	return func(v protoreflect.Value) int64 { return int64(v.List().Len()) }
}
