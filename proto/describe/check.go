package describe

import (
	"encoding/json"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// checkMethod notes what is missing from a method's options, and what they
// contradict.
func (c *compiler) checkMethod(m *Method, desc protoreflect.MethodDescriptor) {
	c.require(m.Resource != annotationsv1.ResourceKind_RESOURCE_KIND_UNSPECIFIED, desc, "resource is missing")
	c.require(m.Quota != annotationsv1.QuotaClass_QUOTA_CLASS_UNSPECIFIED, desc, "quota is missing")
	c.require(!desc.IsStreamingClient(), desc, "streams requests, which is not supported")
	c.require(!m.ReadOnly || !m.EventResponse, desc, "is read-only, so event_response must not be set")
	c.checkEmptyOutput(m, desc)
	c.checkErrors(m, desc)
	c.require(m.Declares(m.ValidationError), desc, "does not declare the service's validation_error")
	c.checkReference(m, desc)
}

// checkEmptyOutput checks that empty_output says how an answer without members
// looks on the AWS wire, where there is one.
func (c *compiler) checkEmptyOutput(m *Method, desc protoreflect.MethodDescriptor) {
	set := m.EmptyOutput != annotationsv1.EmptyOutput_EMPTY_OUTPUT_UNSPECIFIED
	need := m.TargetPrefix != "" && len(m.Response.Fields) == 0
	c.require(set == need, desc, "empty_output must be set for answers without members on the AWS wire, and only there")
}

func (c *compiler) checkErrors(m *Method, desc protoreflect.MethodDescriptor) {
	for i, kind := range m.errors {
		_, known := errorRule(kindValues().ByNumber(kind.Number()))
		c.require(known, desc, "errors has the unknown kind %v", kind)
		c.require(!slices.Contains(m.errors[:i], kind), desc, "errors has %v twice", kind)
	}
}

// checkReference checks that the request of a method on a resource names that
// resource.
func (c *compiler) checkReference(m *Method, desc protoreflect.MethodDescriptor) {
	var want []annotationsv1.ReferenceKind
	switch m.Resource {
	case annotationsv1.ResourceKind_RESOURCE_KIND_KEY:
		want = []annotationsv1.ReferenceKind{
			annotationsv1.ReferenceKind_REFERENCE_KIND_KEY,
			annotationsv1.ReferenceKind_REFERENCE_KIND_KEY_OR_ALIAS,
			annotationsv1.ReferenceKind_REFERENCE_KIND_CIPHERTEXT,
		}
	case annotationsv1.ResourceKind_RESOURCE_KIND_ALIAS:
		want = []annotationsv1.ReferenceKind{annotationsv1.ReferenceKind_REFERENCE_KIND_ALIAS}
	case annotationsv1.ResourceKind_RESOURCE_KIND_CUSTOM_KEY_STORE:
		want = []annotationsv1.ReferenceKind{annotationsv1.ReferenceKind_REFERENCE_KIND_CUSTOM_KEY_STORE}
	default:
		return
	}
	found := slices.ContainsFunc(m.Request.Fields, func(f *Field) bool { return slices.Contains(want, f.Reference) })
	c.require(found, desc, "no field of the request refers to its %v", m.Resource)
}

// checkField notes what is missing from a field's options, and what they
// contradict.
func (c *compiler) checkField(f *Field, rule *annotationsv1.FieldRule) {
	single := !f.List && !f.Map
	c.require(!single || f.Desc.HasPresence(), f.Desc, "has no presence")
	c.require(f.Desc.ContainingOneof() == nil, f.Desc, "is in a oneof; use exactly_one_of")
	if f.Kind == KindBytes {
		c.require(f.Secret != rule.GetPublic(), f.Desc, "a bytes field must be either debug_redact or public")
	}
	named := f.Reference != annotationsv1.ReferenceKind_REFERENCE_KIND_UNSPECIFIED
	c.require(!named || single && (f.Kind == KindString || f.Kind == KindBytes), f.Desc, "reference fits strings and bytes only")
	c.checkLimits(f)
	c.checkEvent(f)
	c.checkCondition(f)
}

// checkLimits checks that limits and patterns fit the field's type.
func (c *compiler) checkLimits(f *Field) {
	measured := f.Kind == KindString || f.Kind == KindBytes || f.Kind == KindInt
	many := f.List || f.Map
	c.require(f.Size == nil || many || measured, f.Desc, "size does not fit its type")
	c.require(f.ItemSize == nil || many && measured, f.Desc, "item_size does not fit its type")
	c.require(f.MapKeySize == nil || f.Map, f.Desc, "map_key_size fits maps only")
	c.require(f.Pattern == nil || !many && f.Kind == KindString, f.Desc, "pattern fits strings only")
	c.require(f.ItemPattern == nil || many && f.Kind == KindString, f.Desc, "item_pattern fits lists and maps of strings only")
	for _, r := range []*Range{f.Size, f.ItemSize, f.MapKeySize} {
		c.require(r == nil || r.Min <= r.Max, f.Desc, "the least size is above the greatest")
	}
}

// checkEvent checks that what an event shows of the field makes sense.
func (c *compiler) checkEvent(f *Field) {
	if f.Default == nil {
		return
	}
	c.require(!f.Secret && !f.omit && !f.Required, f.Desc, "default_json on a field that is secret, omitted or required")
	c.require(f.acceptsJSON(f.Default), f.Desc, "default_json %s is not a value of the field", f.Default)
}

// acceptsJSON says whether text is JSON that the field could be shown as.
func (f *Field) acceptsJSON(text []byte) bool {
	var value any
	if f.List || f.Map || json.Unmarshal(text, &value) != nil {
		return false
	}
	switch v := value.(type) {
	case bool:
		return f.Kind == KindBool
	case float64:
		return f.Kind == KindInt || f.Kind == KindFloat
	case string:
		if f.Kind == KindEnum {
			_, ok := f.Enum.Number(v)
			return ok
		}
		return f.Kind == KindString
	}
	return false
}

// checkCondition checks that condition keys have a prefix and fit the field.
func (c *compiler) checkCondition(f *Field) {
	if f.Condition == nil {
		return
	}
	c.require(!f.Secret, f.Desc, "a secret feeds a condition key")
	perEntry := f.Condition.EntryPrefix != "" || f.Condition.Names != ""
	c.require(perEntry == f.hasEntries(), f.Desc, "condition keys for entries fit maps and lists of structures only")
	c.require(perEntry == (f.Condition.EntryPrefix != "" && f.Condition.Names != ""), f.Desc, "entry_prefix and names need each other")
	c.require(perEntry != (f.Condition.Key != ""), f.Desc, "condition needs either key, or entry_prefix and names")
	c.require(f.fitsConditions(), f.Desc, "its values fit no condition key")
}

// fitsConditions says whether the field's values, or the names and values of its
// entries, can be written as text.
func (f *Field) fitsConditions() bool {
	switch {
	case f.Map:
		return f.Kind == KindString
	case f.hasEntries():
		fields := f.Message.Fields
		text := func(f *Field) bool { return f.Kind == KindString && !f.List && !f.Map && !f.Secret }
		return len(fields) == 2 && text(fields[0]) && text(fields[1])
	}
	return f.Kind != KindBytes && f.Kind != KindMessage
}
