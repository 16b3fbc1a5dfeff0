package awsjson_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
)

// FuzzDecode reads each text as each message: what can be read is JSON, and
// what is written of it is read as the same message.
func FuzzDecode(f *testing.F) {
	plans := plans(f)
	for i, plan := range plans {
		f.Add(uint8(i), awsjson.Append(nil, plan, fill(f, plan, 0)))
	}
	for _, test := range decodeTests() {
		f.Add(indexOf(f, plans, test.want), []byte(test.body))
	}
	for _, test := range refusals() {
		f.Add(indexOf(f, plans, test.into), []byte(test.body))
	}
	f.Add(indexOf(f, plans, &kmsv1.CreateGrantRequest{}), []byte(`{"Operations": ["X"]}`))
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		plan := plans[int(which)%len(plans)]
		msg := newMessage(t, plan)
		if err := awsjson.Decode(plan, text, msg); err != nil {
			checkRefusal(t, err)
			return
		}
		if len(text) > 0 && !json.Valid(text) && len(trimmed(text)) > 0 {
			t.Fatalf("read what is not JSON: %q", text)
		}
		var invalid *describe.ValidationError
		if err := plan.Validate(msg); err != nil {
			if !errors.As(err, &invalid) || len(err.Error()) > 8192 {
				t.Errorf("Validate = %.200q", err)
			}
			return // a misspelt enum is not written
		}
		back := newMessage(t, plan)
		again := awsjson.Append(nil, plan, msg)
		if err := awsjson.Decode(plan, again, back); err != nil || !proto.Equal(msg, back) {
			t.Errorf("%q was written as %q, which is another message: %v", text, again, err)
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var refused *awsjson.Error
	if !errors.As(err, &refused) || refused.Message == "" || len(refused.Message) > 256 {
		t.Errorf("error %#v", err)
	}
}

// trimmed is text without the white space of JSON.
func trimmed(text []byte) []byte {
	return slices.DeleteFunc(slices.Clone(text), func(b byte) bool {
		return b == ' ' || b == '\t' || b == '\r' || b == '\n'
	})
}

// indexOf is the place of a message's plan among the plans.
func indexOf(f *testing.F, plans []*describe.Message, msg proto.Message) uint8 {
	f.Helper()
	i := slices.IndexFunc(plans, func(plan *describe.Message) bool {
		return plan.Desc == msg.ProtoReflect().Descriptor()
	})
	if i < 0 || i > 255 {
		f.Fatalf("%T is not among the plans", msg)
	}
	return uint8(i)
}
