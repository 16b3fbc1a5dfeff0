package faultp11_test

import (
	"slices"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// Slots have another order, placeholders before them and other numbers; what is known of
// them and done with them follows.
func TestSlots(t *testing.T) {
	token := newToken(t)
	plain := token.slots()
	set(t, faultp11.Slots(faultp11.Arrangement{Reverse: true, Extra: 1, Shift: 5}))
	slots := token.slots()
	want := []uint{slots[0], plain[1] + 5, plain[0] + 5}
	if !slices.Equal(slots, want) {
		t.Errorf("slots %v, want %v", slots, want)
	}
	_, err := token.GetTokenInfo(slots[0])
	wantRV(t, "C_GetTokenInfo of a placeholder", err, ckr.TokenNotRecognized)
	_, err = token.GetSlotInfo(slots[0])
	wantRV(t, "C_GetSlotInfo of a placeholder", err, ckr.OK)
	token.slot = plain[0] + 5
	session := token.user()
	info, err := token.GetSessionInfo(session)
	token.must(err)
	if info.SlotID != token.slot {
		t.Errorf("the session is of slot %d, want %d", info.SlotID, token.slot)
	}
	token.must(token.CloseAllSessions(token.slot))
	wantRV(t, "a closed session", token.random(session), ckr.SessionHandleInvalid)
}
