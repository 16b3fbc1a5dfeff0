package audit

import "strconv"

// Opcode is what a command does, by CloudHSM's numbers. Numbers from 0x8000 on
// are our own, where AWS publishes a name only.
type Opcode uint32

// Opcodes of the commands that Strongroom sends.
const (
	OpcodeInitToken       Opcode = 0x1
	OpcodeCreateUser      Opcode = 0x3
	OpcodeChangePassword  Opcode = 0x9
	OpcodeLogin           Opcode = 0xd
	OpcodeLogout          Opcode = 0xe
	OpcodeDestroyObject   Opcode = 0x11 // a session object
	OpcodeGenerateKey     Opcode = 0x17
	OpcodeGenerateKeyPair Opcode = 0x19
	OpcodeWrapKey         Opcode = 0x1a
	OpcodeUnwrapKey       Opcode = 0x1b
	OpcodeInitDone        Opcode = 0x95

	OpcodeOther           Opcode = 0x8000 // a function without a counterpart
	OpcodeAppFinalize     Opcode = 0x8001
	OpcodeTombstoneObject Opcode = 0x8002 // destroys a token object
	OpcodeCreateObject    Opcode = 0x8003
	OpcodeModifyObject    Opcode = 0x8004
	OpcodeDeriveKey       Opcode = 0x8005
)

// String returns CloudHSM's name, e.g. "CN_LOGIN".
func (c Opcode) String() string {
	switch c {
	case OpcodeInitToken:
		return "CN_INIT_TOKEN"
	case OpcodeCreateUser:
		return "CN_CREATE_USER"
	case OpcodeChangePassword:
		return "CN_CHANGE_PSWD"
	case OpcodeLogin:
		return "CN_LOGIN"
	case OpcodeLogout:
		return "CN_LOGOUT"
	case OpcodeDestroyObject:
		return "CN_DESTROY_OBJECT"
	case OpcodeGenerateKey:
		return "CN_GENERATE_KEY"
	case OpcodeGenerateKeyPair:
		return "CN_GENERATE_KEY_PAIR"
	case OpcodeWrapKey:
		return "CN_WRAP_KEY"
	case OpcodeUnwrapKey:
		return "CN_UNWRAP_KEY"
	case OpcodeInitDone:
		return "CN_INIT_DONE"
	case OpcodeOther:
		return "CN_OTHER"
	case OpcodeAppFinalize:
		return "CN_APP_FINALIZE"
	case OpcodeTombstoneObject:
		return "CN_TOMBSTONE_OBJECT"
	case OpcodeCreateObject:
		return "CN_CREATE_OBJECT"
	case OpcodeModifyObject:
		return "CN_MODIFY_OBJECT"
	case OpcodeDeriveKey:
		return "CN_DERIVE_KEY"
	}
	return "Opcode(" + strconv.FormatUint(uint64(c), 10) + ")"
}

// opcodeOf returns the opcode of a PKCS#11 function.
func opcodeOf(c HSMCommand) Opcode {
	switch c.Function {
	case "C_InitToken":
		return OpcodeInitToken
	case "C_Initialize":
		return OpcodeInitDone
	case "C_InitPIN":
		return OpcodeCreateUser
	case "C_SetPIN":
		return OpcodeChangePassword
	case "C_Login":
		return OpcodeLogin
	case "C_Logout":
		return OpcodeLogout
	case "C_Finalize":
		return OpcodeAppFinalize
	case "C_DestroyObject":
		if c.TokenObject {
			return OpcodeTombstoneObject
		}
		return OpcodeDestroyObject
	}
	return keyOpcode(c.Function)
}

// keyOpcode returns the opcode of a function that makes or changes a key.
func keyOpcode(function string) Opcode {
	switch function {
	case "C_GenerateKey":
		return OpcodeGenerateKey
	case "C_GenerateKeyPair":
		return OpcodeGenerateKeyPair
	case "C_WrapKey":
		return OpcodeWrapKey
	case "C_UnwrapKey":
		return OpcodeUnwrapKey
	case "C_CreateObject", "C_CopyObject":
		return OpcodeCreateObject
	case "C_SetAttributeValue":
		return OpcodeModifyObject
	case "C_DeriveKey":
		return OpcodeDeriveKey
	}
	return OpcodeOther
}

// logTypeOf returns which details the entry of a command has.
func logTypeOf(c Opcode, userName string) LogType {
	switch c {
	case OpcodeCreateUser, OpcodeChangePassword, OpcodeLogin, OpcodeLogout, OpcodeAppFinalize:
		if userName != "" {
			return LogUserDetails
		}
	case OpcodeGenerateKey, OpcodeGenerateKeyPair, OpcodeWrapKey, OpcodeUnwrapKey, OpcodeDeriveKey,
		OpcodeCreateObject, OpcodeModifyObject, OpcodeDestroyObject, OpcodeTombstoneObject:
		return LogKeyDetails
	}
	return LogMinimal
}
