package audit

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func entryOf(c HSMCommand) HSMEntry {
	c.Time = at
	op := opcodeOf(c)
	return HSMEntry{
		HSM: "hsm-nwbbiqbj4jk", SequenceNo: 26, RebootCounter: 0x107, Opcode: op, LogType: logTypeOf(op, c.UserName), HSMCommand: c,
	}
}

var commands = []HSMCommand{
	{Function: "C_InitToken", Session: 0},
	{Function: "C_Initialize"},
	{Function: "C_InitPIN", Session: 1, UserName: "user", UserType: UserTypeCryptoUser},
	{Function: "C_Login", Session: 0x7014006, UserName: "kmsuser", UserType: UserTypeCryptoUser},
	{Function: "C_Login", Session: 0x7014006, UserName: "kmsuser", UserType: UserTypeCryptoUser, RV: 0xa0},
	{Function: "C_Login", Session: 0x7014006, UserName: "so\nForged : line", UserType: UserTypeCryptoOfficer, RV: 0x102},
	{Function: "C_Logout", Session: 1, UserName: "kmsuser", UserType: UserTypeCryptoUser},
	{Function: "C_Finalize"},
	{Function: "C_Finalize", UserName: "kmsuser", UserType: UserTypeCryptoUser},
	{Function: "C_GenerateKey", Session: 1, PrivateHandle: 262152, TokenObject: true, KeyLabel: "arn:aws:kms:us-east-1:000000000000:key/1", KeyID: "00ff", RequestID: "11111111-1111-4111-8111-111111111111"},
	{Function: "C_GenerateKey", Session: 1, RV: 0x31, RequestID: "11111111-1111-4111-8111-111111111111"},
	{Function: "C_GenerateKey", Session: 1, NoReply: true},
	{Function: "C_GenerateKeyPair", Session: 1, PrivateHandle: 131079, PublicHandle: 131078, TokenObject: true},
	{Function: "C_DestroyObject", Session: 1, PrivateHandle: 131079, TokenObject: true},
	{Function: "C_DestroyObject", Session: 1, PrivateHandle: 131079},
	{Function: "C_DestroyObject", Session: 1, PrivateHandle: 131079, RV: 0x82},
	{Function: "C_WrapKey", Session: 2, PrivateHandle: 131080, RequestID: "11111111-1111-4111-8111-111111111111"},
	{Function: "C_DeriveKey", Session: 3, PrivateHandle: 131081, KeyID: "00ff", RequestID: "11111111-1111-4111-8111-111111111111"},
	{Function: "C_Vendor", Session: 1, RV: 0x80000001},
}

func TestHSMLogText(t *testing.T) {
	var b []byte
	for _, c := range commands {
		b = append(entryOf(c).AppendText(b), '\n')
	}
	golden(t, "hsm_log.txt", b)
}

func TestHSMLogJSON(t *testing.T) {
	var b []byte
	for _, c := range commands {
		want := entryOf(c)
		line := want.AppendJSON(nil)
		b = append(append(b, line...), '\n')
		got, err := ParseHSMEntry(line)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", line, err, diff)
		}
	}
	golden(t, "hsm_log.jsonl", b)
}

func TestOpcodes(t *testing.T) {
	tests := []struct {
		command HSMCommand
		want    string
	}{
		{HSMCommand{Function: "C_InitToken"}, "CN_INIT_TOKEN 0x1"},
		{HSMCommand{Function: "C_Initialize"}, "CN_INIT_DONE 0x95"},
		{HSMCommand{Function: "C_InitPIN"}, "CN_CREATE_USER 0x3"},
		{HSMCommand{Function: "C_SetPIN"}, "CN_CHANGE_PSWD 0x9"},
		{HSMCommand{Function: "C_Login"}, "CN_LOGIN 0xd"},
		{HSMCommand{Function: "C_Logout"}, "CN_LOGOUT 0xe"},
		{HSMCommand{Function: "C_Finalize"}, "CN_APP_FINALIZE 0x8001"},
		{HSMCommand{Function: "C_GenerateKey"}, "CN_GENERATE_KEY 0x17"},
		{HSMCommand{Function: "C_GenerateKeyPair"}, "CN_GENERATE_KEY_PAIR 0x19"},
		{HSMCommand{Function: "C_DestroyObject"}, "CN_DESTROY_OBJECT 0x11"},
		{HSMCommand{Function: "C_DestroyObject", TokenObject: true}, "CN_TOMBSTONE_OBJECT 0x8002"},
		{HSMCommand{Function: "C_WrapKey"}, "CN_WRAP_KEY 0x1a"},
		{HSMCommand{Function: "C_UnwrapKey"}, "CN_UNWRAP_KEY 0x1b"},
		{HSMCommand{Function: "C_CreateObject"}, "CN_CREATE_OBJECT 0x8003"},
		{HSMCommand{Function: "C_SetAttributeValue"}, "CN_MODIFY_OBJECT 0x8004"},
		{HSMCommand{Function: "C_DeriveKey"}, "CN_DERIVE_KEY 0x8005"},
		{HSMCommand{Function: "C_Unheard"}, "CN_OTHER 0x8000"},
	}
	for _, tt := range tests {
		op := opcodeOf(tt.command)
		if got := fmt.Sprintf("%v 0x%x", op, uint32(op)); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.command, got, tt.want)
		}
	}
}

func TestUnknownEnumsPrintTheirNumber(t *testing.T) {
	for _, tt := range []struct {
		value fmt.Stringer
		want  string
	}{
		{Opcode(77), "Opcode(77)"}, {LogType(9), "LogType(9)"}, {UserType(9), "UserType(9)"}, {CommandType(9), "CommandType(9)"},
		{UserTypeNone, "NONE"},
	} {
		if got := tt.value.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func FuzzParseHSMEntry(f *testing.F) {
	for _, c := range commands {
		f.Add(entryOf(c).AppendJSON(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseHSMEntry(b)
		if err != nil {
			return
		}
		again := e.AppendJSON(nil)
		back, err := ParseHSMEntry(again)
		if err != nil || !bytes.Equal(back.AppendJSON(nil), again) {
			t.Errorf("%s: %v, became %s", again, err, back.AppendJSON(nil))
		}
	})
}
