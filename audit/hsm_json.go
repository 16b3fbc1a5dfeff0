package audit

import (
	"encoding/json"
	"fmt"
	"time"
)

const hsmJSONTimeLayout = "2006-01-02T15:04:05.000000Z"

// AppendJSON appends the entry as it stands in the journal: one line of JSON.
func (e HSMEntry) AppendJSON(dst []byte) []byte {
	o := openObject(dst)
	o.str("time", e.Time.UTC().Format(hsmJSONTimeLayout))
	o.str("hsm", e.HSM)
	o.number("sequenceNo", e.SequenceNo)
	o.number("rebootCounter", uint64(e.RebootCounter))
	o.str("commandType", e.CommandType.String())
	o.number("commandTypeValue", uint64(e.CommandType))
	o.str("opcode", e.Opcode.String())
	o.number("opcodeValue", uint64(e.Opcode))
	o.number("sessionHandle", e.Session)
	o.str("response", string(e.appendResponse(nil)))
	o.str("logType", e.LogType.String())
	o.number("logTypeValue", uint64(e.LogType))
	o.str("function", e.Function)
	o.number("rv", e.RV)
	if e.NoReply {
		o.boolean("noReply", true)
	} else {
		o.str("returnCode", ckrName(e.RV))
	}
	e.appendDetailsJSON(&o)
	o.optional("requestID", e.RequestID)
	return o.close()
}

func (e HSMEntry) appendDetailsJSON(o *object) {
	if e.UserName != "" || e.UserType != UserTypeNone {
		o.str("userName", e.UserName)
		o.number("userType", uint64(e.UserType))
	}
	if e.LogType == LogKeyDetails {
		o.number("privateHandle", e.PrivateHandle)
		o.number("publicHandle", e.PublicHandle)
		o.boolean("tokenObject", e.TokenObject)
	}
	o.optional("keyLabel", e.KeyLabel)
	o.optional("keyID", e.KeyID)
}

// hsmEntryJSON has the members that cannot be computed from others.
type hsmEntryJSON struct {
	Time             time.Time `json:"time"`
	HSM              string    `json:"hsm"`
	SequenceNo       *uint64   `json:"sequenceNo"`
	RebootCounter    uint32    `json:"rebootCounter"`
	CommandTypeValue uint32    `json:"commandTypeValue"`
	OpcodeValue      uint32    `json:"opcodeValue"`
	SessionHandle    uint64    `json:"sessionHandle"`
	LogTypeValue     uint32    `json:"logTypeValue"`
	Function         string    `json:"function"`
	RV               uint64    `json:"rv"`
	NoReply          bool      `json:"noReply"`
	UserName         string    `json:"userName"`
	UserType         uint32    `json:"userType"`
	PrivateHandle    uint64    `json:"privateHandle"`
	PublicHandle     uint64    `json:"publicHandle"`
	TokenObject      bool      `json:"tokenObject"`
	KeyLabel         string    `json:"keyLabel"`
	KeyID            string    `json:"keyID"`
	RequestID        string    `json:"requestID"`
}

// ParseHSMEntry parses what AppendJSON wrote. Members that it does not know
// are skipped, so that later versions can add some.
func ParseHSMEntry(b []byte) (HSMEntry, error) {
	var j hsmEntryJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return HSMEntry{}, fmt.Errorf("parsing an HSM entry: %w", err)
	}
	if j.HSM == "" || j.SequenceNo == nil || j.Function == "" {
		return HSMEntry{}, fmt.Errorf("parsing an HSM entry: hsm, sequenceNo or function is missing")
	}
	return j.entry(), nil
}

func (j hsmEntryJSON) entry() HSMEntry {
	return HSMEntry{
		HSM: j.HSM, SequenceNo: *j.SequenceNo, RebootCounter: j.RebootCounter,
		CommandType: CommandType(j.CommandTypeValue), Opcode: Opcode(j.OpcodeValue), LogType: LogType(j.LogTypeValue),
		HSMCommand: HSMCommand{
			Function: j.Function, Time: j.Time, Session: j.SessionHandle, RV: j.RV, NoReply: j.NoReply,
			UserName: j.UserName, UserType: UserType(j.UserType),
			PrivateHandle: j.PrivateHandle, PublicHandle: j.PublicHandle, TokenObject: j.TokenObject,
			KeyLabel: j.KeyLabel, KeyID: j.KeyID, RequestID: j.RequestID,
		},
	}
}
