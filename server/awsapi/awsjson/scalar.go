package awsjson

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// strictBase64 refuses a last character with bits that no octet has.
var strictBase64 = base64.StdEncoding.Strict()

// scalar reads a value of the field, or an item of it, that is neither a list, a
// map nor a structure.
func (d decoder) scalar(f *describe.Field, r protoreflect.Message, item bool) (protoreflect.Value, error) {
	kind := d.tokens.PeekKind()
	if !accepts(f.Kind, kind) {
		return protoreflect.Value{}, d.refuse(f, item, kind)
	}
	raw, err := d.tokens.ReadValue()
	if err != nil {
		return protoreflect.Value{}, malformed(err)
	}
	switch f.Kind {
	case describe.KindBool:
		return protoreflect.ValueOfBool(kind == jsontext.KindTrue), nil
	case describe.KindInt:
		return integer(f, raw)
	case describe.KindFloat:
		return float(f, raw)
	case describe.KindTimestamp:
		return timestamp(f, r, raw)
	case describe.KindBytes:
		return blob(raw)
	}
	text, err := textOf(raw)
	if err != nil || f.Kind == describe.KindString {
		return protoreflect.ValueOfString(text), err
	}
	if number, ok := f.Enum.Number(text); ok {
		return protoreflect.ValueOfEnum(number), nil
	}
	return f.Misspelt(r, text), nil
}

// accepts says whether a scalar of this type may stand as this kind of JSON.
func accepts(kind describe.Kind, token jsontext.Kind) bool {
	switch kind {
	case describe.KindBool:
		return token == jsontext.KindTrue || token == jsontext.KindFalse
	case describe.KindInt, describe.KindFloat, describe.KindTimestamp:
		return token == jsontext.KindNumber
	}
	return token == jsontext.KindString
}

// unquoted returns what a JSON string says: a part of raw if it has no escapes,
// otherwise a copy, which whoever keeps secrets wipes.
func unquoted(raw jsontext.Value) (text []byte, isCopy bool, err error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], false, nil
	}
	// What an escape stands for is never longer than the escape.
	text, err = jsontext.AppendUnquote(make([]byte, 0, len(raw)), raw)
	if err != nil {
		clear(text)
		return nil, false, malformed(err)
	}
	return text, true, nil
}

// text reads a string.
func (d decoder) text() (string, error) {
	raw, err := d.tokens.ReadValue()
	if err != nil {
		return "", malformed(err)
	}
	return textOf(raw)
}

// textOf returns what a JSON string says.
func textOf(raw jsontext.Value) (string, error) {
	text, isCopy, err := unquoted(raw)
	if isCopy {
		defer clear(text)
	}
	return string(text), err
}

// blob returns the octets that a JSON string has in base64, whose slashes some
// clients escape.
func blob(raw jsontext.Value) (protoreflect.Value, error) {
	text, isCopy, err := unquoted(raw)
	if err != nil {
		return protoreflect.Value{}, err
	}
	if isCopy {
		defer clear(text)
	}
	octets := make([]byte, strictBase64.DecodedLen(len(text)))
	n, err := strictBase64.Decode(octets, text)
	if err == nil && bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return protoreflect.ValueOfBytes(octets[:n]), nil
	}
	clear(octets)
	return protoreflect.Value{}, &Error{"STRING_VALUE can not be converted to a Blob: " + base64Problem(text)}
}

// base64Problem says what is wrong with text, in AWS's words, without showing it.
func base64Problem(text []byte) string {
	if len(text)%4 != 0 {
		return fmt.Sprintf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(text))
	}
	octets := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	defer clear(octets)
	if _, err := base64.StdEncoding.Decode(octets, text); err != nil || bytes.ContainsAny(text, "\r\n") {
		return "Invalid Base64 character"
	}
	return "Invalid last non-pad Base64 character"
}

func float(f *describe.Field, raw jsontext.Value) (protoreflect.Value, error) {
	size := 64
	if f.Desc.Kind() == protoreflect.FloatKind {
		size = 32
	}
	n, err := strconv.ParseFloat(string(raw), size)
	if err != nil {
		return protoreflect.Value{}, conversion(f, jsontext.KindNumber)
	}
	if size == 32 {
		return protoreflect.ValueOfFloat32(float32(n)), nil
	}
	return protoreflect.ValueOfFloat64(n), nil
}
