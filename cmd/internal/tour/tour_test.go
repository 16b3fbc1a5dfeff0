package tour

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
)

const event = `{"eventTime":"2026-11-23T04:05:06Z","eventName":"Encrypt","requestID":"r-1",
	"userIdentity":{"arn":"arn:aws:iam::000000000000:user/admin"},
	"resources":[{"ARN":"arn:key"}],
	"requestParameters":{"keyId":"k","encryptionContext":{"z":"1","a":"2"}},
	"additionalEventData":{"returnCode":"CKR_OK"}}`

func TestEventLines(t *testing.T) {
	tests := []struct {
		name, event string
		want        []string
	}{
		{"members keep their order", event, []string{
			"eventTime: 2026-11-23T04:05:06Z",
			"eventName: Encrypt",
			"userIdentity.arn: arn:aws:iam::000000000000:user/admin",
			"requestID: r-1",
			"resources: arn:key",
			"requestParameters:",
			"  keyId: k",
			`  encryptionContext: {"z":"1","a":"2"}`,
			"additionalEventData:",
			"  returnCode: CKR_OK",
		}},
		{"null and absent", `{"eventName":"GenerateRandom","requestParameters":null}`, []string{
			"eventTime: ", "eventName: GenerateRandom", "userIdentity.arn: ", "requestID: ",
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e, err := present.ParseEvent(tc.event)
			if err != nil {
				t.Fatal(err)
			}
			got, err := eventLines(e)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestShowSaysWhenAnOperationLeftNoEntry(t *testing.T) {
	steps := []step{{"CreateKey", "r-1"}, {"Encrypt", "r-2"}}
	records := map[string]*record{
		"r-1": {event: []string{"eventName: CreateKey"}, entries: []string{"Opcode : CN_GENERATE_KEY (0x17)"}},
		"r-2": {event: []string{"eventName: Encrypt"}},
	}
	var stacked bytes.Buffer
	if err := show(&stacked, 80, steps, records); err != nil {
		t.Fatal(err)
	}
	want := `API EVENTS, as CloudTrail records them
HSM AUDIT LOG, as CloudHSM records it

1. CreateKey
eventName: CreateKey

Opcode : CN_GENERATE_KEY (0x17)

2. Encrypt
eventName: Encrypt

(none: HSMs log their management, not each use of a key)
`
	if diff := cmp.Diff(want, stacked.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var beside bytes.Buffer
	if err := show(&beside, 120, steps, records); err != nil {
		t.Fatal(err)
	}
	line := "eventName: CreateKey" + strings.Repeat(" ", 38) + " | Opcode : CN_GENERATE_KEY (0x17)\n"
	if !strings.Contains(beside.String(), line) {
		t.Errorf("no line %q in\n%s", line, beside.String())
	}
}
