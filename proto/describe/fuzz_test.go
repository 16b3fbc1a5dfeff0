package describe_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// FuzzPlans gives each plan whatever a client may have sent as its message: the
// event must be JSON, the log one line, and the error bounded.
func FuzzPlans(f *testing.F) {
	api := compiled(f)
	var plans []*describe.Message
	reachable(api, func(m *describe.Message) { plans = append(plans, m) })
	slices.SortFunc(plans, func(a, b *describe.Message) int {
		return strings.Compare(string(a.Desc.FullName()), string(b.Desc.FullName()))
	})
	f.Fuzz(func(t *testing.T, which uint8, wire []byte) {
		plan := plans[int(which)%len(plans)]
		msg := dynamicpb.NewMessage(plan.Desc)
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
	})
}
