package awscbor

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// Append appends msg, which is of the plan's type, to dst as a map: members in the order of
// the .proto file, absent ones left out but for the list of a page, maps sorted by key. It
// wipes dst's array, and every other one that it outgrows, since they may hold secrets; only
// what it returns is of use afterwards.
func Append(dst []byte, plan *describe.Message, msg proto.Message) []byte {
	return appendMessage(dst, plan, msg.ProtoReflect())
}

// AppendError appends an error as a map: its name and, unless it is empty, its message.
func AppendError(dst []byte, name, message string) []byte {
	members := [][2]string{{"__type", name}, {"message", message}}
	if message == "" {
		members = members[:1]
	}
	dst = appendHead(dst, majorMap, uint64(len(members)))
	for _, m := range members {
		dst = appendText(appendText(dst, m[0]), m[1])
	}
	return dst
}

// maxHead is the greatest length of the head of a value: its first byte and a number.
const maxHead = 9

// reserve makes room for n more bytes, and wipes the array that was too small. Every
// append is preceded by it, so that none of them moves a secret.
func reserve(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	grown := append(make([]byte, 0, 2*cap(dst)+n), dst...)
	clear(dst)
	return grown
}

// appendHead appends the head of a value of a major type, with its number or length in the
// fewest bytes.
func appendHead(dst []byte, major byte, n uint64) []byte {
	dst, major = reserve(dst, maxHead), major<<5
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendText(dst []byte, s string) []byte {
	dst = appendHead(dst, majorText, uint64(len(s)))
	return append(reserve(dst, len(s)), s...)
}

func appendBlob(dst, octets []byte) []byte {
	dst = appendHead(dst, majorBytes, uint64(len(octets)))
	return append(reserve(dst, len(octets)), octets...)
}

func appendFloat(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(reserve(dst, maxHead), double), math.Float64bits(v))
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(reserve(dst, 1), trueValue)
	}
	return append(reserve(dst, 1), falseValue)
}

func appendMessage(dst []byte, m *describe.Message, r protoreflect.Message) []byte {
	shown := slices.DeleteFunc(slices.Clone(m.Fields), func(f *describe.Field) bool {
		return !r.Has(f.Desc) && (!m.Page || !f.List)
	})
	dst = appendHead(dst, majorMap, uint64(len(shown)))
	for _, f := range shown {
		dst = appendValue(appendText(dst, f.WireName), f, r.Get(f.Desc))
	}
	return dst
}

func appendValue(dst []byte, f *describe.Field, v protoreflect.Value) []byte {
	switch {
	case f.Map:
		return appendMap(dst, f, v.Map())
	case f.List:
		dst = appendHead(dst, majorArray, uint64(v.List().Len())) //nolint:gosec // not negative
		for i := range v.List().Len() {
			dst = appendItem(dst, f, v.List().Get(i))
		}
		return dst
	}
	return appendItem(dst, f, v)
}

func appendMap(dst []byte, f *describe.Field, entries protoreflect.Map) []byte {
	values := map[string]protoreflect.Value{}
	entries.Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
		values[key.String()] = v
		return true
	})
	dst = appendHead(dst, majorMap, uint64(len(values)))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		dst = appendItem(appendText(dst, key), f, values[key])
	}
	return dst
}

// appendItem appends one value that is neither a list nor a map.
func appendItem(dst []byte, f *describe.Field, v protoreflect.Value) []byte {
	switch f.Kind {
	case describe.KindBool:
		return appendBool(dst, v.Bool())
	case describe.KindInt:
		return appendInt(dst, v)
	case describe.KindFloat:
		return appendFloat(dst, v.Float())
	case describe.KindBytes:
		return appendBlob(dst, v.Bytes())
	case describe.KindEnum:
		return appendEnum(dst, f.Enum, v.Enum())
	case describe.KindTimestamp:
		return appendTime(dst, v.Message())
	case describe.KindMessage:
		return appendMessage(dst, f.Message, v.Message())
	}
	return appendText(dst, v.String())
}

// appendEnum appends a value's spelling, or its number as text if it has none.
func appendEnum(dst []byte, e *describe.Enum, n protoreflect.EnumNumber) []byte {
	name, ok := e.WireName(n)
	if !ok {
		name = strconv.Itoa(int(n))
	}
	return appendText(dst, name)
}

func appendInt(dst []byte, v protoreflect.Value) []byte {
	switch n := v.Interface().(type) {
	case uint32:
		return appendHead(dst, majorUnsigned, uint64(n))
	case uint64:
		return appendHead(dst, majorUnsigned, n)
	}
	if n := v.Int(); n < 0 {
		return appendHead(dst, majorNegative, uint64(-1-n)) //nolint:gosec // not negative
	}
	return appendHead(dst, majorUnsigned, uint64(v.Int())) //nolint:gosec // not negative
}

// appendTime appends a google.protobuf.Timestamp as tag 1 of seconds since 1970, to the
// millisecond, as AWS does.
func appendTime(dst []byte, timestamp protoreflect.Message) []byte {
	fields := timestamp.Descriptor().Fields()
	t := time.Unix(timestamp.Get(fields.ByNumber(1)).Int(), timestamp.Get(fields.ByNumber(2)).Int())
	return appendFloat(append(reserve(dst, 1), epochTag), float64(t.UnixMilli())/1000)
}
