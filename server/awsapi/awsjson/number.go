package awsjson

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// The first and last second of the years 1 to 9999, which are what a
// google.protobuf.Timestamp holds.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

// maxExponent bounds the exponents of the numbers that are read: no integer or
// time needs more digits.
const maxExponent = 64

// decimal is a JSON number: its digits, of which the first point are before the
// decimal point. There are no zeros at either end.
type decimal struct {
	negative bool
	digits   []byte
	point    int // below 0: zeros between the point and the digits
}

// parseDecimal takes apart a valid JSON number; it is not ok if its exponent is
// out of bounds.
func parseDecimal(raw jsontext.Value) (n decimal, ok bool) {
	mantissa, exponent, has := bytes.Cut(bytes.ToLower(raw), []byte("e"))
	if has {
		e, err := strconv.Atoi(string(exponent))
		if err != nil || e < -maxExponent || e > maxExponent {
			return decimal{}, false
		}
		n.point = e
	}
	mantissa, n.negative = bytes.CutPrefix(mantissa, []byte("-"))
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	n.point += len(whole)
	n.digits = append(append(n.digits, whole...), fraction...)
	n.trim()
	return n, true
}

// trim removes zeros from the ends.
func (n *decimal) trim() {
	leading := len(n.digits)
	n.digits = bytes.TrimLeft(n.digits, "0")
	n.point -= leading - len(n.digits)
	n.digits = bytes.TrimRight(n.digits, "0")
	if len(n.digits) == 0 {
		n.negative, n.point = false, 0
	}
}

// integral says whether the number has no fraction.
func (n *decimal) integral() bool { return n.point >= len(n.digits) }

// whole returns the digits before the decimal point, with the sign.
func (n *decimal) whole() string {
	text := make([]byte, 0, maxExponent)
	if n.negative {
		text = append(text, '-')
	}
	return string(n.appendDigits(append(text, '0'), 0, n.point))
}

// appendDigits appends the digits of the places from and before to, counted from
// the first digit.
func (n *decimal) appendDigits(dst []byte, from, to int) []byte {
	for place := from; place < to; place++ {
		digit := byte('0')
		if place >= 0 && place < len(n.digits) {
			digit = n.digits[place]
		}
		dst = append(dst, digit)
	}
	return dst
}

// isLong says whether an integer field has 64 bits.
func isLong(f *describe.Field) bool {
	kind := f.Desc.Kind()
	return kind == protoreflect.Int64Kind || kind == protoreflect.Uint64Kind
}

// integer returns an integer of the field's type. How it is written does not
// matter: 1, 1.0 and 1e0 are the same number.
func integer(f *describe.Field, raw jsontext.Value) (protoreflect.Value, error) {
	n, ok := parseDecimal(raw)
	if !ok || !n.integral() {
		return protoreflect.Value{}, conversion(f, jsontext.KindNumber)
	}
	v, err := parseInteger(f.Desc.Kind(), n.whole())
	if err != nil {
		return protoreflect.Value{}, conversion(f, jsontext.KindNumber)
	}
	return v, nil
}

func parseInteger(kind protoreflect.Kind, text string) (protoreflect.Value, error) {
	switch kind {
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err //nolint:gosec // parsed as 32 bits
	case protoreflect.Uint32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err //nolint:gosec // parsed as 32 bits
	case protoreflect.Uint64Kind:
		n, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(n), err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return protoreflect.ValueOfInt64(n), err
}

// timestamp returns the time of so many seconds since 1970, to the millisecond
// as AWS keeps it: what is below is cut off.
func timestamp(f *describe.Field, r protoreflect.Message, raw jsontext.Value) (protoreflect.Value, error) {
	n, ok := parseDecimal(raw)
	if !ok {
		return protoreflect.Value{}, conversion(f, jsontext.KindNumber)
	}
	seconds, err := strconv.ParseInt(n.whole(), 10, 64)
	if err != nil {
		return protoreflect.Value{}, conversion(f, jsontext.KindNumber)
	}
	millis, err := strconv.ParseInt(string(n.appendDigits(nil, n.point, n.point+3)), 10, 32)
	if err != nil {
		return protoreflect.Value{}, conversion(f, jsontext.KindNumber)
	}
	if n.negative && millis > 0 {
		seconds, millis = seconds-1, 1000-millis
	}
	if seconds < firstSecond || seconds > lastSecond {
		return protoreflect.Value{}, conversion(f, jsontext.KindNumber)
	}
	return newTimestamp(f, r, seconds, int32(millis*1e6)), nil //nolint:gosec // below 1e9
}

// newTimestamp returns a timestamp that can be put into the field of r. It sets
// the fields by number, so that dynamic messages do as well.
func newTimestamp(f *describe.Field, r protoreflect.Message, seconds int64, nanos int32) protoreflect.Value {
	v := r.NewField(f.Desc)
	switch {
	case f.List:
		v = v.List().NewElement()
	case f.Map:
		v = v.Map().NewValue()
	}
	fields := v.Message().Descriptor().Fields()
	v.Message().Set(fields.ByNumber(1), protoreflect.ValueOfInt64(seconds))
	v.Message().Set(fields.ByNumber(2), protoreflect.ValueOfInt32(nanos))
	return v
}
