package awscbor

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// maxDepth is how deep values may be nested. Those of the API are not half as deep.
const maxDepth = 24

// Decoder reads requests. It is safe for concurrent use.
type Decoder struct{ mode cbor.DecMode }

// NewDecoder returns a Decoder. It fails only if the CBOR library refuses its options.
func NewDecoder() (*Decoder, error) {
	mode, err := cbor.DecOptions{
		DupMapKey:       cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels: maxDepth,
		UTF8:            cbor.UTF8RejectInvalid,
		IndefLength:     cbor.IndefLengthAllowed,
	}.DecMode()
	if err != nil {
		return nil, fmt.Errorf("options of the CBOR decoder: %w", err)
	}
	return &Decoder{mode}, nil
}

// Decode reads data, the body of a request, into the empty message into, which is of the
// plan's type. A body without anything is a message without members. What is wrong with
// the body is an *Error; any other error means that into is not of the plan's type. After
// an error the message may have some of the members, so it has to be wiped like any other.
//
// The message does not share memory with data.
func (d *Decoder) Decode(plan *describe.Message, data []byte, into proto.Message) error {
	r := into.ProtoReflect()
	if r.Descriptor() != plan.Desc {
		return fmt.Errorf("decoding a %s as %s", r.Descriptor().FullName(), plan.Desc.FullName())
	}
	if len(data) == 0 {
		return nil
	}
	if majorOf(data) != majorMap {
		if err := d.mode.Wellformed(data); err != nil {
			return malformed(err)
		}
		return &Error{"The request body is not a CBOR map."}
	}
	return d.message(plan, data, r)
}

// message reads a map into r. The copies of its values that the library makes are wiped.
func (d *Decoder) message(m *describe.Message, data cbor.RawMessage, r protoreflect.Message) error {
	var members map[string]cbor.RawMessage
	defer func() { wipeAll(members) }()
	if err := d.mode.Unmarshal(data, &members); err != nil {
		return malformed(err)
	}
	for _, f := range m.Fields {
		value, ok := members[f.WireName]
		if !ok || isNull(value) {
			continue
		}
		if err := d.field(f, value, r); err != nil {
			return err
		}
	}
	for name := range members {
		if m.Closed && m.ByWireName(name) == nil {
			return &Error{"Unknown name in " + m.WireName + "."}
		}
	}
	return nil
}

func wipeAll(members map[string]cbor.RawMessage) {
	for _, value := range members {
		clear(value)
	}
}

// field reads a value that is not null into the field of r.
func (d *Decoder) field(f *describe.Field, data cbor.RawMessage, r protoreflect.Message) error {
	switch {
	case f.Map:
		return d.entries(f, data, r)
	case f.List:
		return d.list(f, data, r)
	case f.Kind == describe.KindMessage:
		return d.structure(f, data, r.Mutable(f.Desc).Message())
	}
	v, err := d.scalar(f, data, r)
	if err == nil {
		r.Set(f.Desc, v)
	}
	return err
}

// structure reads a map that is the field's value, or an item of it.
func (d *Decoder) structure(f *describe.Field, data cbor.RawMessage, r protoreflect.Message) error {
	if majorOf(data) != majorMap {
		return mismatch(f, "a structure")
	}
	return d.message(f.Message, data, r)
}

// list reads an array into the field of r. As on the gRPC wire, an empty one is an absent
// field.
func (d *Decoder) list(f *describe.Field, data cbor.RawMessage, r protoreflect.Message) error {
	if majorOf(data) != majorArray {
		return mismatch(f, "a list")
	}
	var items []cbor.RawMessage
	defer func() {
		for _, item := range items {
			clear(item)
		}
	}()
	if err := d.mode.Unmarshal(data, &items); err != nil {
		return malformed(err)
	}
	list := r.Mutable(f.Desc).List()
	for _, item := range items {
		if f.Kind == describe.KindMessage {
			if err := d.structure(f, item, list.AppendMutable().Message()); err != nil {
				return err
			}
			continue
		}
		v, err := d.scalar(f, item, r)
		if err != nil {
			return err
		}
		list.Append(v)
	}
	return nil
}

// entries reads a map into the field of r, which is a map.
func (d *Decoder) entries(f *describe.Field, data cbor.RawMessage, r protoreflect.Message) error {
	if majorOf(data) != majorMap {
		return mismatch(f, "a map")
	}
	var values map[string]cbor.RawMessage
	defer func() { wipeAll(values) }()
	if err := d.mode.Unmarshal(data, &values); err != nil {
		return malformed(err)
	}
	entries := r.Mutable(f.Desc).Map()
	for name, value := range values {
		key := protoreflect.ValueOfString(name).MapKey()
		if f.Kind == describe.KindMessage {
			if err := d.structure(f, value, entries.Mutable(key).Message()); err != nil {
				return err
			}
			continue
		}
		v, err := d.scalar(f, value, r)
		if err != nil {
			return err
		}
		entries.Set(key, v)
	}
	return nil
}

// Error is why a body is not the message that it should be: AWS's SerializationException.
type Error struct {
	// Message holds no value of the request.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// malformed returns the error of a body that is no CBOR, or none that is read.
func malformed(err error) error {
	if _, twice := errors.AsType[*cbor.DupMapKeyError](err); twice {
		return &Error{"The request body has a member twice."}
	}
	if _, deep := errors.AsType[*cbor.MaxNestedLevelError](err); deep {
		return &Error{fmt.Sprintf("The request body is nested deeper than %d levels.", maxDepth)}
	}
	if _, key := errors.AsType[*cbor.UnmarshalTypeError](err); key {
		return &Error{"The request body has a key that is not text."}
	}
	if _, more := errors.AsType[*cbor.ExtraneousDataError](err); more {
		return &Error{"The request body goes on behind its end."}
	}
	return &Error{"The request body is not valid CBOR."}
}

// mismatch returns the error of a value that has not the member's type.
func mismatch(f *describe.Field, want string) error {
	return &Error{"The value of " + f.WireName + " is not " + want + "."}
}
