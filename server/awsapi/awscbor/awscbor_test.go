package awscbor_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/proto/describe"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awscbor"
)

// Every message of the API comes back as it was, full and empty, and what is written is
// well-formed.
func TestRoundTrip(t *testing.T) {
	decoder := newDecoder(t)
	for _, plan := range plans(t) {
		for name, msg := range map[string]proto.Message{
			"full":  fill(t, plan, 0),
			"empty": newMessage(t, plan),
		} {
			body := awscbor.Append(nil, plan, msg)
			if err := cbor.Wellformed(body); err != nil {
				t.Fatalf("%s, %s: %v: %x", plan.Desc.Name(), name, err, body)
			}
			back := newMessage(t, plan)
			if err := decoder.Decode(plan, body, back); err != nil {
				t.Fatalf("%s, %s: %v: %x", plan.Desc.Name(), name, err, body)
			}
			if !proto.Equal(msg, back) {
				t.Errorf("%s, %s: %x came back as %x", plan.Desc.Name(), name, body, awscbor.Append(nil, plan, back))
			}
		}
	}
}

func newDecoder(t testing.TB) *awscbor.Decoder {
	t.Helper()
	decoder, err := awscbor.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return decoder
}

func compiled(t testing.TB) *describe.API {
	t.Helper()
	api, err := describe.Compile(
		kmsv1.File_strongroom_kms_v1_kms_proto.Services().ByName("KeyManagementService"),
		logsv1.File_strongroom_logs_v1_logs_proto.Services().ByName("LogsService"),
		cloudwatchv1.File_strongroom_cloudwatch_v1_cloudwatch_proto.Services().ByName("CloudWatchService"),
	)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// plans are the plans of all requests and answers.
func plans(t testing.TB) []*describe.Message {
	t.Helper()
	var list []*describe.Message
	for _, service := range compiled(t).Services() {
		for _, m := range service.Methods {
			list = append(list, m.Request, m.Response)
		}
	}
	return list
}

func planOf(t testing.TB, msg proto.Message) *describe.Message {
	t.Helper()
	plan := compiled(t).Message(msg.ProtoReflect().Descriptor().FullName())
	if plan == nil {
		t.Fatalf("no plan of %T", msg)
	}
	return plan
}

// newMessage makes the generated message of a plan.
func newMessage(t testing.TB, plan *describe.Message) proto.Message {
	t.Helper()
	typ, err := protoregistry.GlobalTypes.FindMessageByName(plan.Desc.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return typ.New().Interface()
}

// fill makes a message with a value in every field, and several in lists and maps whose
// values take turns.
func fill(t testing.TB, plan *describe.Message, depth int) proto.Message {
	t.Helper()
	msg := newMessage(t, plan)
	r := msg.ProtoReflect()
	if depth > 3 {
		return msg // a message that contains itself
	}
	for n, f := range plan.Fields {
		switch {
		case f.Map:
			for i, key := range texts() {
				r.Mutable(f.Desc).Map().Set(protoreflect.ValueOfString(key).MapKey(), value(t, f, i, depth))
			}
		case f.List:
			for i := range 3 {
				r.Mutable(f.Desc).List().Append(value(t, f, i, depth))
			}
		default:
			r.Set(f.Desc, value(t, f, n, depth))
		}
	}
	return msg
}

func texts() []string { return []string{"", "plain", "\"\\\x00\x7f", "Schlüssel 鍵 🔑 \u2028"} }

// value returns one of the values that a field can have, which ends are among.
func value(t testing.TB, f *describe.Field, i, depth int) protoreflect.Value {
	t.Helper()
	switch f.Kind {
	case describe.KindBool:
		return protoreflect.ValueOfBool(i%2 == 0)
	case describe.KindInt:
		return integer(f, i)
	case describe.KindFloat:
		return protoreflect.ValueOfFloat64([]float64{0, -1.5, math.MaxFloat64, math.Inf(1), 5e-324}[i%5])
	case describe.KindBytes:
		return protoreflect.ValueOfBytes([][]byte{{}, {0}, {0xfb, 0xff}, bytes.Repeat([]byte{0xa5}, 300)}[i%4])
	case describe.KindEnum:
		values := f.Enum.Desc.Values()
		return protoreflect.ValueOfEnum(values.Get(1 + i%(values.Len()-1)).Number())
	case describe.KindTimestamp:
		return protoreflect.ValueOfMessage(times()[i%len(times())].ProtoReflect())
	case describe.KindMessage:
		return protoreflect.ValueOfMessage(fill(t, f.Message, depth+1).ProtoReflect())
	}
	return protoreflect.ValueOfString(texts()[i%len(texts())])
}

func times() []*timestamppb.Timestamp {
	return []*timestamppb.Timestamp{
		{},
		{Seconds: 1499288695, Nanos: 918_000_000},
		{Seconds: 253402300799, Nanos: 999_000_000},
		{Seconds: -62135596800},
		{Seconds: -1, Nanos: 500_000_000},
		{Seconds: -2, Nanos: 1_000_000},
	}
}

func integer(f *describe.Field, i int) protoreflect.Value {
	if f.Desc.Kind() == protoreflect.Int64Kind {
		return protoreflect.ValueOfInt64([]int64{0, math.MinInt64, math.MaxInt64}[i%3])
	}
	return protoreflect.ValueOfInt32([]int32{23, 24, 255, 256, 65535, 65536, -24, -25, math.MinInt32, math.MaxInt32}[i%10])
}
