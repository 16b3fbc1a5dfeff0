package awsjson_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
)

// form is a way to write messages.
type form struct {
	name   string
	decode func(*describe.Message, []byte, proto.Message) error
	encode func([]byte, *describe.Message, proto.Message) []byte
}

func forms() []form {
	return []form{
		{"awsjson", awsjson.Decode, awsjson.Append},
		{
			"protojson",
			func(_ *describe.Message, text []byte, msg proto.Message) error { return protojson.Unmarshal(text, msg) },
			func(dst []byte, _ *describe.Message, msg proto.Message) []byte {
				text, err := protojson.MarshalOptions{}.MarshalAppend(dst, msg)
				must(err)
				return text
			},
		},
		{
			"proto",
			func(_ *describe.Message, wire []byte, msg proto.Message) error { return proto.Unmarshal(wire, msg) },
			func(dst []byte, _ *describe.Message, msg proto.Message) []byte {
				wire, err := proto.MarshalOptions{}.MarshalAppend(dst, msg)
				must(err)
				return wire
			},
		},
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// The request and the answer of the commonest operation: a data key of 32
// bytes, decrypted with an encryption context.
func benchmarkMessages() []proto.Message {
	return []proto.Message{
		&kmsv1.DecryptRequest{
			KeyId:             proto.String(keyARN),
			CiphertextBlob:    make([]byte, 184),
			EncryptionContext: map[string]string{"department": "finance", "purpose": "backup"},
		},
		&kmsv1.DecryptResponse{
			KeyId:               proto.String(keyARN),
			Plaintext:           make([]byte, 32),
			EncryptionAlgorithm: kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SYMMETRIC_DEFAULT.Enum(),
		},
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, msg := range benchmarkMessages() {
		plan := planOf(b, msg)
		for _, form := range forms() {
			text := form.encode(nil, plan, msg)
			b.Run(string(plan.Desc.Name())+"/"+form.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					must(form.decode(plan, text, msg.ProtoReflect().New().Interface()))
				}
			})
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, msg := range benchmarkMessages() {
		plan := planOf(b, msg)
		for _, form := range forms() {
			var dst []byte
			b.Run(string(plan.Desc.Name())+"/"+form.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					dst = form.encode(dst[:0], plan, msg)
				}
			})
		}
	}
}
