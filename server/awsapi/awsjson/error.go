package awsjson

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// Error is why a text is not the message that it should be: AWS's
// SerializationException.
type Error struct {
	// Message is AWS's text where it is known. It holds no value of the request.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// malformed returns the error of JSON that is not well-formed. AWS sends none.
func malformed(err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return &Error{"The request body has a member twice."}
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return &Error{fmt.Sprintf("The request body is not valid JSON at byte %d.", syntax.ByteOffset)}
	}
	return &Error{"The request body is not valid JSON."}
}

// mismatch returns the error of a value whose JSON type is not the member's.
func mismatch(f *describe.Field, item bool, kind jsontext.Kind) error {
	switch {
	case kind == jsontext.KindBeginObject:
		return &Error{"Start of structure or map found where not expected."}
	case kind == jsontext.KindBeginArray:
		return &Error{"Start of list found where not expected"}
	case f.Map && !item:
		return &Error{"Expected map or null"}
	case f.List && !item:
		return &Error{"Expected list or null"}
	case f.Kind == describe.KindMessage && kind != jsontext.KindNull:
		return &Error{"Expected null"}
	}
	return conversion(f, kind)
}

// conversion returns the error of a scalar that is not one of the member's type.
func conversion(f *describe.Field, kind jsontext.Kind) error {
	return &Error{tokenName(kind) + " can not be converted to " + typeName(f)}
}

// tokenName is AWS's name of a JSON scalar.
func tokenName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindString:
		return "STRING_VALUE"
	case jsontext.KindNumber:
		return "NUMBER_VALUE"
	case jsontext.KindTrue:
		return "TRUE_VALUE"
	case jsontext.KindFalse:
		return "FALSE_VALUE"
	}
	return "NULL_VALUE"
}

// typeName is AWS's name of a member's type, with its article.
func typeName(f *describe.Field) string {
	switch f.Kind {
	case describe.KindBool:
		return "a Boolean"
	case describe.KindInt:
		if isLong(f) {
			return "a Long"
		}
		return "an Integer"
	case describe.KindFloat:
		return "a Double"
	case describe.KindBytes:
		return "a Blob"
	case describe.KindTimestamp:
		return "milliseconds since epoch"
	case describe.KindMessage:
		return "a Structure"
	}
	return "a String"
}
