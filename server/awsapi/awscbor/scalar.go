package awscbor

import (
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// Major types of CBOR: the upper three bits of a value's first byte.
const (
	majorUnsigned byte = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// First bytes of values that have but one form, and of those that Append writes.
const (
	falseValue = 0xf4
	trueValue  = 0xf5
	nullValue  = 0xf6
	undefined  = 0xf7
	half       = 0xf9
	double     = 0xfb
	epochTag   = 0xc1
)

// majorOf is the major type of a value, which has a byte at least.
func majorOf(data []byte) byte { return data[0] >> 5 }

func isNull(data []byte) bool { return data[0] == nullValue || data[0] == undefined }

func isInteger(data []byte) bool {
	return majorOf(data) == majorUnsigned || majorOf(data) == majorNegative
}

func isFloat(data []byte) bool { return data[0] >= half && data[0] <= double }

// scalar reads a value of the field, or an item of it, that is neither a list, a map nor
// a structure.
func (d *Decoder) scalar(f *describe.Field, data cbor.RawMessage, r protoreflect.Message) (protoreflect.Value, error) {
	switch f.Kind {
	case describe.KindBool:
		if data[0] != falseValue && data[0] != trueValue {
			return protoreflect.Value{}, mismatch(f, "a boolean")
		}
		return protoreflect.ValueOfBool(data[0] == trueValue), nil
	case describe.KindInt:
		return d.integer(f, data)
	case describe.KindFloat:
		return d.float(f, data)
	case describe.KindBytes:
		return read(d, f, data, majorOf(data) == majorBytes, "a blob", protoreflect.ValueOfBytes)
	case describe.KindTimestamp:
		return d.timestamp(f, data, r)
	case describe.KindEnum:
		return read(d, f, data, majorOf(data) == majorText, "a string", func(text string) protoreflect.Value {
			if number, ok := f.Enum.Number(text); ok {
				return protoreflect.ValueOfEnum(number)
			}
			return f.Misspelt(r, text)
		})
	}
	return read(d, f, data, majorOf(data) == majorText, "a string", protoreflect.ValueOfString)
}

// read reads a value of a Go type, if it is of the right type of CBOR.
func read[T any](d *Decoder, f *describe.Field, data cbor.RawMessage, fits bool, want string, value func(T) protoreflect.Value) (protoreflect.Value, error) {
	var v T
	if !fits || d.mode.Unmarshal(data, &v) != nil {
		return protoreflect.Value{}, mismatch(f, want)
	}
	return value(v), nil
}

// integer reads an integer that the field's type can hold.
func (d *Decoder) integer(f *describe.Field, data cbor.RawMessage) (protoreflect.Value, error) {
	switch f.Desc.Kind() {
	case protoreflect.Int32Kind:
		return read(d, f, data, isInteger(data), "an integer of 32 bits", protoreflect.ValueOfInt32)
	case protoreflect.Uint32Kind:
		return read(d, f, data, isInteger(data), "an integer of 32 bits", protoreflect.ValueOfUint32)
	case protoreflect.Uint64Kind:
		return read(d, f, data, isInteger(data), "an integer of 64 bits", protoreflect.ValueOfUint64)
	}
	return read(d, f, data, isInteger(data), "an integer of 64 bits", protoreflect.ValueOfInt64)
}

// float reads a number, which may be written as an integer.
func (d *Decoder) float(f *describe.Field, data cbor.RawMessage) (protoreflect.Value, error) {
	item := f.Desc
	if f.Map {
		item = item.MapValue()
	}
	return read(d, f, data, isInteger(data) || isFloat(data), "a number", func(v float64) protoreflect.Value {
		if item.Kind() == protoreflect.FloatKind {
			return protoreflect.ValueOfFloat32(float32(v))
		}
		return protoreflect.ValueOfFloat64(v)
	})
}

// The first millisecond of the year 1 and of the year 10000: what is between them is what
// a google.protobuf.Timestamp holds.
const (
	firstMilli = -62135596800_000
	afterLast  = 253402300800_000
)

// timestamp reads the seconds since 1970 that tag 1 says they are, to the millisecond.
func (d *Decoder) timestamp(f *describe.Field, data cbor.RawMessage, r protoreflect.Message) (protoreflect.Value, error) {
	if data[0] != epochTag || !isInteger(data[1:]) && !isFloat(data[1:]) {
		return protoreflect.Value{}, mismatch(f, "a timestamp")
	}
	var seconds float64
	err := d.mode.Unmarshal(data[1:], &seconds)
	millis := math.Round(seconds * 1000)
	if inRange := millis >= firstMilli && millis < afterLast; err != nil || !inRange { // NaN is not
		return protoreflect.Value{}, mismatch(f, "a timestamp")
	}
	return newTimestamp(f, r, time.UnixMilli(int64(millis))), nil
}

// newTimestamp returns a timestamp that can be put into the field of r. It sets the fields
// by number, so that dynamic messages do as well.
func newTimestamp(f *describe.Field, r protoreflect.Message, t time.Time) protoreflect.Value {
	v := r.NewField(f.Desc)
	switch {
	case f.List:
		v = v.List().NewElement()
	case f.Map:
		v = v.Map().NewValue()
	}
	fields := v.Message().Descriptor().Fields()
	v.Message().Set(fields.ByNumber(1), protoreflect.ValueOfInt64(t.Unix()))
	v.Message().Set(fields.ByNumber(2), protoreflect.ValueOfInt32(int32(t.Nanosecond()))) //nolint:gosec // below 1e9
	return v
}
