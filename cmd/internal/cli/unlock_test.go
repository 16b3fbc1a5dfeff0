package cli_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func TestUnlockCheck(t *testing.T) {
	started := &operatorv1.HsmUnlockCheck{HsmId: new("hsm-a"), TokenLabel: new("prod  "), TokenSerial: new("01"), PinState: new("count low"), Started: new(true)}
	locked := &operatorv1.HsmUnlockCheck{HsmId: new("hsm-b"), PinState: new("locked"), Started: new(false), Reason: new("unlock it\x1b[2J")}
	kept := &operatorv1.HsmUnlockCheck{HsmId: new("hsm-c"), PinState: new("ok"), Started: new(false), Reason: new("not forgotten")}
	for _, test := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"all", nil, 3, "HSM    TOKEN           USER PIN   STARTED  WHY NOT\n" +
			"hsm-a  prod serial 01  count low  true     -\n" +
			"hsm-b  serial          locked     false    unlock it?[2J\n" +
			"hsm-c  serial          ok         false    not forgotten\n"},
		{"one", []string{"--hsm-id", "hsm-a"}, 0, "HSM    TOKEN           USER PIN   STARTED  WHY NOT\n" +
			"hsm-a  prod serial 01  count low  true     -\n"},
		{"one that is not started, whatever its token says", []string{"--hsm-id", "hsm-c"}, 3, "HSM    TOKEN   USER PIN  STARTED  WHY NOT\n" +
			"hsm-c  serial  ok        false    not forgotten\n"},
		{"a custom key store's", []string{"--custom-key-store-id", "cks-1"}, 0, "No HSM is stopped.\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			variables := startFakeOperator(t, fakeOperator{checks: []*operatorv1.HsmUnlockCheck{started, locked, kept}})
			got := run(t.Context(), variables, "", append([]string{"hsm", "unlock-check"}, test.args...)...)
			if got.status != test.status || got.stderr != "" {
				t.Errorf("status %d, want %d; stderr %q", got.status, test.status, got.stderr)
			}
			if diff := cmp.Diff(test.want, got.stdout); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
