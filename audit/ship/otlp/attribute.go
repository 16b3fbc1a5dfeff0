package otlp

import (
	"math"

	common "go.opentelemetry.io/proto/otlp/common/v1"
)

type scope = *common.InstrumentationScope

func newScope(version string) scope {
	return &common.InstrumentationScope{Name: "github.com/strongroom-kms/strongroom/audit", Version: version}
}

// attributes are those of a record; what is empty is left out.
type attributes []*common.KeyValue

func (a *attributes) add(key string, value *common.AnyValue) {
	*a = append(*a, &common.KeyValue{Key: key, Value: value})
}

func (a *attributes) text(key, value string) {
	if value != "" {
		a.add(key, text(value))
	}
}

func (a *attributes) texts(key string, values []string) {
	if len(values) == 0 {
		return
	}
	list := &common.ArrayValue{}
	for _, v := range values {
		list.Values = append(list.Values, text(v))
	}
	a.add(key, &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: list}})
}

func (a *attributes) number(key string, value uint64) {
	a.add(key, &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: int64(min(value, math.MaxInt64))}})
}

func (a *attributes) boolean(key string, value bool) {
	a.add(key, &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: value}})
}

func text(value string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}
}
