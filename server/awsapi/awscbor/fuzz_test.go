package awscbor_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/server/awsapi/awscbor"
)

// FuzzDecode reads each body as each message: what can be read is CBOR, and what is
// written of it is read as the same message.
func FuzzDecode(f *testing.F) {
	decoder, plans := newDecoder(f), plans(f)
	for i, plan := range plans {
		f.Add(uint8(i), awscbor.Append(nil, plan, fill(f, plan, 0))) //nolint:gosec // there are fewer than 256
	}
	for _, test := range decodeTests() {
		f.Add(indexOf(f, plans, test.want), octets(f, test.body))
	}
	for _, test := range refusals() {
		f.Add(indexOf(f, plans, test.into), octets(f, test.body))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		plan := plans[int(which)%len(plans)]
		msg := newMessage(t, plan)
		if err := decoder.Decode(plan, body, msg); err != nil {
			refused, ok := errors.AsType[*awscbor.Error](err)
			if !ok || refused.Message == "" || len(refused.Message) > 256 {
				t.Errorf("error %#v", err)
			}
			return
		}
		if err := cbor.Wellformed(body); len(body) > 0 && err != nil {
			t.Fatalf("read what is not CBOR: %x: %v", body, err)
		}
		if err := plan.Validate(msg); err != nil {
			if _, ok := errors.AsType[*describe.ValidationError](err); !ok || len(err.Error()) > 8192 {
				t.Errorf("Validate = %.200q", err)
			}
			return // a misspelt enum is not written
		}
		back, again := newMessage(t, plan), awscbor.Append(nil, plan, msg)
		if err := decoder.Decode(plan, again, back); err != nil || !proto.Equal(msg, back) {
			t.Errorf("%x was written as %x, which is another message: %v", body, again, err)
		}
	})
}

// indexOf is the place of a message's plan among the plans.
func indexOf(f *testing.F, plans []*describe.Message, msg proto.Message) uint8 {
	f.Helper()
	i := slices.IndexFunc(plans, func(plan *describe.Message) bool { return plan.Desc == msg.ProtoReflect().Descriptor() })
	if i < 0 || i > 255 {
		f.Fatalf("%T is not among the plans", msg)
	}
	return uint8(i)
}
