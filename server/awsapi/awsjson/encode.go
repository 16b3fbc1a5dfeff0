package awsjson

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
)

// Append appends msg, which is of the plan's type, to dst as a JSON object:
// members in the order of the .proto file, absent ones left out but for the list
// of a page, maps sorted by key. It wipes dst's array, and every other one that it outgrows, since they may
// hold secrets; only what it returns is of use afterwards.
func Append(dst []byte, plan *describe.Message, msg proto.Message) []byte {
	return appendMessage(dst, plan, msg.ProtoReflect())
}

// The greatest lengths of values in JSON.
const (
	maxNumber = 32 // digits, sign, point, exponent
	maxEscape = 6  // of one octet of a string, \u001f
)

// reserve makes room for n more bytes, and wipes the array that was too small.
// Every append is preceded by it, so that none of them moves a secret.
func reserve(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	grown := append(make([]byte, 0, 2*cap(dst)+n), dst...)
	clear(dst)
	return grown
}

// appendMessage appends r as an object. Each member begins with a comma; the
// first one's becomes the opening brace.
func appendMessage(dst []byte, m *describe.Message, r protoreflect.Message) []byte {
	start := len(dst)
	for _, f := range m.Fields {
		if r.Has(f.Desc) || m.Page && f.List {
			dst = append(reserve(dst, len(f.WireKey)), f.WireKey...)
			dst = appendValue(dst, f, r.Get(f.Desc))
		}
	}
	dst = reserve(dst, len("{}"))
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{'
	return append(dst, '}')
}

func appendValue(dst []byte, f *describe.Field, v protoreflect.Value) []byte {
	switch {
	case f.Map:
		return appendMap(dst, f, v.Map())
	case f.List:
		return appendList(dst, f, v.List())
	}
	return appendItem(dst, f, v)
}

func appendList(dst []byte, f *describe.Field, list protoreflect.List) []byte {
	dst = append(reserve(dst, 1), '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(reserve(dst, 1), ',')
		}
		dst = appendItem(dst, f, list.Get(i))
	}
	return append(reserve(dst, 1), ']')
}

func appendMap(dst []byte, f *describe.Field, entries protoreflect.Map) []byte {
	dst = append(reserve(dst, 1), '{')
	for i, key := range sortedKeys(entries) {
		if i > 0 {
			dst = append(reserve(dst, 1), ',')
		}
		dst = append(reserve(appendString(dst, key), 1), ':')
		dst = appendItem(dst, f, entries.Get(protoreflect.ValueOfString(key).MapKey()))
	}
	return append(reserve(dst, 1), '}')
}

func sortedKeys(entries protoreflect.Map) []string {
	keys := make([]string, 0, entries.Len())
	entries.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key.String())
		return true
	})
	slices.Sort(keys)
	return keys
}

// appendItem appends one value that is neither a list nor a map.
func appendItem(dst []byte, f *describe.Field, v protoreflect.Value) []byte {
	switch f.Kind {
	case describe.KindBool:
		return strconv.AppendBool(reserve(dst, maxNumber), v.Bool())
	case describe.KindInt:
		return appendInt(reserve(dst, maxNumber), v)
	case describe.KindFloat:
		return appendFloat(reserve(dst, maxNumber), v.Float())
	case describe.KindBytes:
		return appendBlob(dst, v.Bytes())
	case describe.KindEnum:
		return appendEnum(dst, f.Enum, v.Enum())
	case describe.KindTimestamp:
		return appendTime(reserve(dst, maxNumber), v.Message())
	case describe.KindMessage:
		return appendMessage(dst, f.Message, v.Message())
	}
	return appendString(dst, v.String())
}

func appendString(dst []byte, s string) []byte {
	return jsonenc.AppendString(reserve(dst, maxEscape*len(s)+len(`""`)), s)
}

func appendBlob(dst, octets []byte) []byte {
	dst = reserve(dst, base64.StdEncoding.EncodedLen(len(octets))+len(`""`))
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), octets)
	return append(dst, '"')
}

// appendEnum appends a value's spelling, or its number as text if it has none.
func appendEnum(dst []byte, e *describe.Enum, n protoreflect.EnumNumber) []byte {
	name, ok := e.WireName(n)
	if !ok {
		name = strconv.Itoa(int(n))
	}
	return appendString(dst, name)
}

func appendInt(dst []byte, v protoreflect.Value) []byte {
	switch n := v.Interface().(type) {
	case uint32:
		return strconv.AppendUint(dst, uint64(n), 10)
	case uint64:
		return strconv.AppendUint(dst, n, 10)
	}
	return strconv.AppendInt(dst, v.Int(), 10)
}

// appendFloat appends a number, or null for one that JSON does not have.
func appendFloat(dst []byte, n float64) []byte {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, n, 'g', -1, 64)
}

// appendTime appends a google.protobuf.Timestamp as seconds since 1970, to the
// millisecond, as AWS does.
func appendTime(dst []byte, timestamp protoreflect.Message) []byte {
	fields := timestamp.Descriptor().Fields()
	t := time.Unix(timestamp.Get(fields.ByNumber(1)).Int(), timestamp.Get(fields.ByNumber(2)).Int())
	seconds, nanos := t.Unix(), t.Nanosecond()/1e6*1e6
	if seconds < 0 && nanos > 0 {
		seconds, nanos = seconds+1, 1e9-nanos
		if seconds == 0 {
			dst = append(dst, '-')
		}
	}
	dst = strconv.AppendInt(dst, seconds, 10)
	if nanos == 0 {
		return dst
	}
	dst = append(dst, '.')
	for place := 100_000_000; nanos > 0; place /= 10 {
		dst = append(dst, byte('0'+nanos/place))
		nanos %= place
	}
	return dst
}
