package audit

import (
	"fmt"
	"time"
)

// HSMCommand is a management command that an HSM was sent and its answer.
type HSMCommand struct {
	// Function is the PKCS#11 function, e.g. "C_GenerateKey".
	Function string
	// Time is when the answer came.
	Time time.Time
	// Session is the session's handle.
	Session uint64
	// RV is the CKR code that the function returned.
	RV uint64
	// UserName and UserType are set on commands about a user, e.g. C_Login.
	UserName string
	UserType UserType
	// PrivateHandle and PublicHandle are the objects that a command about keys
	// made or destroyed; 0 if none. A secret key is in PrivateHandle.
	PrivateHandle uint64
	PublicHandle  uint64
	// TokenObject says that the key is kept on the token.
	TokenObject bool
	// KeyLabel and KeyID are the key's CKA_LABEL, and CKA_ID in hexadecimal.
	KeyLabel string
	KeyID    string
	// RequestID is the request that caused the command, if one did.
	RequestID string
	// NoReply says that the worker was lost before it answered, so that the
	// outcome is unknown and RV means nothing.
	NoReply bool
}

// UserType is a kind of HSM user, numbered as CloudHSM numbers them.
type UserType uint32

// Kinds of HSM users.
const (
	UserTypeNone          UserType = 0
	UserTypeCryptoUser    UserType = 1 // the PKCS#11 CKU_USER
	UserTypeCryptoOfficer UserType = 2 // the PKCS#11 CKU_SO
)

// HSMEntry is an entry of an HSM's audit log.
type HSMEntry struct {
	// Record is the entry's number in the journal; it is no part of the entry.
	Record uint64
	// HSM is the log's name.
	HSM string
	// SequenceNo counts the HSM's entries from 0.
	SequenceNo uint64
	// RebootCounter counts the starts of the HSM's worker.
	RebootCounter uint32
	// CommandType is the command's class.
	CommandType CommandType
	// Opcode is CloudHSM's name for what the command does.
	Opcode Opcode
	// LogType says which details the entry has.
	LogType LogType
	// HSMCommand is the command itself.
	HSMCommand
}

// CommandType is a class of HSM commands.
type CommandType uint32

// CommandManagement is the class of all commands that are logged.
const CommandManagement CommandType = 0

// LogType says which details an entry has.
type LogType uint32

// Values of LogType.
const (
	LogMinimal     LogType = 0
	LogKeyDetails  LogType = 1
	LogUserDetails LogType = 2
)

// String returns CloudHSM's name of the type.
func (t UserType) String() string {
	switch t {
	case UserTypeNone:
		return "NONE"
	case UserTypeCryptoUser:
		return "CN_CRYPTO_USER"
	case UserTypeCryptoOfficer:
		return "CN_CRYPTO_OFFICER"
	}
	return fmt.Sprintf("UserType(%d)", uint32(t))
}

// String returns CloudHSM's name of the type.
func (t CommandType) String() string {
	if t == CommandManagement {
		return "CN_MGMT_CMD"
	}
	return fmt.Sprintf("CommandType(%d)", uint32(t))
}

// String returns CloudHSM's name of the type.
func (t LogType) String() string {
	switch t {
	case LogMinimal:
		return "MINIMAL_LOG_ENTRY"
	case LogKeyDetails:
		return "MGMT_KEY_DETAILS_LOG"
	case LogUserDetails:
		return "MGMT_USER_DETAILS_LOG"
	}
	return fmt.Sprintf("LogType(%d)", uint32(t))
}
