package describe_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// FuzzPlans gives each plan whatever a client may have sent as its message: the
// event must be JSON, the log one line, the error bounded, and the values of
// condition keys text.
func FuzzPlans(f *testing.F) {
	api := compiled(f)
	plans := sortedPlans(api)
	for i, plan := range plans {
		f.Add(uint8(i), marshalled(f, fill(plan, 32)))
	}
	for _, msg := range oddMessages() {
		f.Add(uint8(slices.Index(plans, planOf(f, api, msg))), marshalled(f, msg))
	}
	f.Fuzz(func(t *testing.T, which uint8, wire []byte) {
		plan := plans[int(which)%len(plans)]
		typ, err := protoregistry.GlobalTypes.FindMessageByName(plan.Desc.FullName())
		if err != nil {
			t.Fatal(err)
		}
		msg := typ.New().Interface() // as the server decodes it
		if err := proto.Unmarshal(wire, msg); err != nil {
			return
		}
		if event := plan.AppendEvent(nil, msg); !json.Valid(event) || !utf8.Valid(event) {
			t.Errorf("AppendEvent of %s is not JSON: %q", plan.Desc.Name(), event)
		}
		if line := api.Redact(msg); strings.ContainsAny(line, "\n\r") || !utf8.ValidString(line) {
			t.Errorf("Redact of %s is not one line: %q", plan.Desc.Name(), line)
		}
		var invalid *describe.ValidationError
		if err := plan.Validate(msg); err != nil && (!errors.As(err, &invalid) || len(err.Error()) > 8192) {
			t.Errorf("Validate of %s = %.200q", plan.Desc.Name(), err)
		}
		checkConditions(t, plan, msg)
	})
}

// checkConditions reads all condition keys of a plan from a message.
func checkConditions(t *testing.T, plan *describe.Message, msg proto.Message) {
	t.Helper()
	for _, key := range conditionsOf(plan) {
		key = strings.ToLower(strings.TrimSuffix(key, "<name>"))
		values, ok := plan.ConditionValues(msg, key)
		if ok != (len(values) > 0) || !utf8.ValidString(strings.Join(values, "")) {
			t.Errorf("values of %s in %s = %q, %v", key, plan.Desc.Name(), values, ok)
		}
	}
}

// oddMessages are messages with what has to be escaped, what no enum has, and a
// time that no calendar has.
func oddMessages() []proto.Message {
	return []proto.Message{
		&kmsv1.EncryptRequest{EncryptionContext: map[string]string{"\"\\\n\u2028\x7f": "\x00"}},
		&kmsv1.DecryptRequest{EncryptionAlgorithm: kmsv1.EncryptionAlgorithmSpec(99).Enum(), DryRunModifiers: []kmsv1.DryRunModifierType{1, 7}},
		&kmsv1.KeyMetadata{CreationDate: &timestamppb.Timestamp{Seconds: 1 << 55, Nanos: -1}},
		&kmsv1.ImportKeyMaterialRequest{ValidTo: &timestamppb.Timestamp{Seconds: -1 << 55}},
	}
}

// sortedPlans are the plans of all messages in the order of their names.
func sortedPlans(api *describe.API) []*describe.Message {
	var plans []*describe.Message
	reachable(api, func(m *describe.Message) { plans = append(plans, m) })
	slices.SortFunc(plans, func(a, b *describe.Message) int {
		return strings.Compare(string(a.Desc.FullName()), string(b.Desc.FullName()))
	})
	return plans
}

func marshalled(f *testing.F, msg proto.Message) []byte {
	f.Helper()
	wire, err := proto.Marshal(msg)
	if err != nil {
		f.Fatal(err)
	}
	return wire
}
