package awsjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// Decode reads data, the body of a request, into the empty message into, which
// is of the plan's type. A body without anything is a message without members.
// What is wrong with the text is an *Error; any other error means that into is
// not of the plan's type. After an error the message may have some of the
// members, so it has to be wiped like any other.
//
// The message does not share memory with data.
func Decode(plan *describe.Message, data []byte, into proto.Message) error {
	r := into.ProtoReflect()
	if r.Descriptor() != plan.Desc {
		return fmt.Errorf("decoding a %s as %s", r.Descriptor().FullName(), plan.Desc.FullName())
	}
	d := newDecoder(data)
	defer d.release()
	if err := d.body(plan, r); err != nil {
		return err
	}
	if _, err := d.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return malformed(err)
	}
	return nil
}

// decoder reads values in the order of the text.
type decoder struct {
	tokens *jsontext.Decoder
}

// decoders keeps what a decoder needs for its stacks, two fifths of what decoding
// allocates. They may remember names of members, and never values.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

func newDecoder(data []byte) decoder {
	tokens, ok := decoders.Get().(*jsontext.Decoder)
	if !ok {
		tokens = new(jsontext.Decoder)
	}
	// A buffer is read where it is; any other reader would be copied.
	tokens.Reset(bytes.NewBuffer(data))
	return decoder{tokens}
}

// release lets go of the text.
func (d decoder) release() {
	d.tokens.Reset(new(bytes.Buffer))
	decoders.Put(d.tokens)
}

// body reads the whole text, except what may stand after it.
func (d decoder) body(plan *describe.Message, r protoreflect.Message) error {
	switch d.tokens.PeekKind() {
	case jsontext.KindBeginObject:
		return d.message(plan, r)
	case jsontext.KindInvalid:
		_, err := d.tokens.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return malformed(err)
	}
	return &Error{"The request body is not a JSON object."}
}

// message reads an object into r.
func (d decoder) message(m *describe.Message, r protoreflect.Message) error {
	if err := d.next(); err != nil {
		return err
	}
	for d.tokens.PeekKind() != jsontext.KindEndObject {
		f, err := d.member(m)
		if err != nil {
			return err
		}
		if f == nil || d.tokens.PeekKind() == jsontext.KindNull {
			err = d.skip()
		} else {
			err = d.field(f, r)
		}
		if err != nil {
			return err
		}
	}
	return d.next()
}

// member reads the name of a member; nil if the message has none of that name, unless
// it is closed.
func (d decoder) member(m *describe.Message) (*describe.Field, error) {
	quoted, err := d.tokens.ReadValue()
	if err != nil {
		return nil, malformed(err)
	}
	name, _, err := unquoted(quoted)
	if err != nil {
		return nil, err
	}
	f := m.ByWireName(string(name))
	if f == nil && m.Closed {
		return nil, &Error{"Unknown name in " + m.WireName + "."}
	}
	return f, nil
}

// field reads a value that is not null into the field of r.
func (d decoder) field(f *describe.Field, r protoreflect.Message) error {
	switch {
	case f.Map:
		return d.entries(f, r)
	case f.List:
		return d.list(f, r)
	case f.Kind == describe.KindMessage:
		return d.structure(f, r.Mutable(f.Desc).Message(), false)
	}
	v, err := d.scalar(f, r, false)
	if err == nil {
		r.Set(f.Desc, v)
	}
	return err
}

// structure reads an object that is the field's value, or an item of it.
func (d decoder) structure(f *describe.Field, r protoreflect.Message, item bool) error {
	if kind := d.tokens.PeekKind(); kind != jsontext.KindBeginObject {
		return d.refuse(f, item, kind)
	}
	return d.message(f.Message, r)
}

// list reads an array into the field of r. As on the gRPC wire, an empty one is
// an absent field.
func (d decoder) list(f *describe.Field, r protoreflect.Message) error {
	if kind := d.tokens.PeekKind(); kind != jsontext.KindBeginArray {
		return d.refuse(f, false, kind)
	}
	if err := d.next(); err != nil {
		return err
	}
	list := r.Mutable(f.Desc).List()
	for d.tokens.PeekKind() != jsontext.KindEndArray {
		if f.Kind == describe.KindMessage {
			if err := d.structure(f, list.AppendMutable().Message(), true); err != nil {
				return err
			}
			continue
		}
		v, err := d.scalar(f, r, true)
		if err != nil {
			return err
		}
		list.Append(v)
	}
	return d.next()
}

// entries reads an object into the field of r, which is a map.
func (d decoder) entries(f *describe.Field, r protoreflect.Message) error {
	if kind := d.tokens.PeekKind(); kind != jsontext.KindBeginObject {
		return d.refuse(f, false, kind)
	}
	if err := d.next(); err != nil {
		return err
	}
	entries := r.Mutable(f.Desc).Map()
	for d.tokens.PeekKind() != jsontext.KindEndObject {
		name, err := d.text()
		if err != nil {
			return err
		}
		if err := d.entry(f, r, entries, protoreflect.ValueOfString(name).MapKey()); err != nil {
			return err
		}
	}
	return d.next()
}

// entry reads the value of one entry of a map.
func (d decoder) entry(f *describe.Field, r protoreflect.Message, entries protoreflect.Map, key protoreflect.MapKey) error {
	if f.Kind == describe.KindMessage {
		return d.structure(f, entries.Mutable(key).Message(), true)
	}
	v, err := d.scalar(f, r, true)
	if err == nil {
		entries.Set(key, v)
	}
	return err
}

// next reads one token.
func (d decoder) next() error {
	if _, err := d.tokens.ReadToken(); err != nil {
		return malformed(err)
	}
	return nil
}

// skip reads one value, whatever it is.
func (d decoder) skip() error {
	if err := d.tokens.SkipValue(); err != nil {
		return malformed(err)
	}
	return nil
}

// refuse returns why a value of this kind does not fit: it has another type, or
// is no value at all.
func (d decoder) refuse(f *describe.Field, item bool, kind jsontext.Kind) error {
	switch kind {
	case jsontext.KindInvalid, jsontext.KindEndObject, jsontext.KindEndArray:
		_, err := d.tokens.ReadToken()
		return malformed(err)
	}
	return mismatch(f, item, kind)
}
