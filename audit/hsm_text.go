package audit

import (
	"fmt"
)

// hsmTimeLayout is the Time field's: UTC, in microseconds.
const hsmTimeLayout = "01/02/06 15:04:05.000000"

// AppendText appends the entry as CloudHSM prints it, a line for each field
// ("Interpreting HSM audit logs" in the AWS CloudHSM User Guide).
func (e HSMEntry) AppendText(dst []byte) []byte {
	at := e.Time.UTC()
	dst = fmt.Appendf(dst, "Time: %s, usecs:%d\n", at.Format(hsmTimeLayout), at.UnixMicro())
	dst = fmt.Appendf(dst, "Sequence No : 0x%x\n", e.SequenceNo)
	dst = fmt.Appendf(dst, "Reboot counter : 0x%x\n", e.RebootCounter)
	dst = fmt.Appendf(dst, "Command Type(hex) : %v (0x%x)\n", e.CommandType, uint32(e.CommandType))
	dst = fmt.Appendf(dst, "Opcode : %v (0x%x)\n", e.Opcode, uint32(e.Opcode))
	dst = fmt.Appendf(dst, "Session Handle : 0x%x\n", e.Session)
	dst = append(e.appendResponse(append(dst, "Response : "...)), '\n')
	dst = fmt.Appendf(dst, "Log type : %v (%d)\n", e.LogType, e.LogType)
	return e.appendDetails(dst)
}

func (e HSMEntry) appendDetails(dst []byte) []byte {
	switch e.LogType {
	case LogUserDetails:
		dst = fmt.Appendf(dst, "User Name : %s\n", printable(e.UserName))
		dst = fmt.Appendf(dst, "User Type : %v (%d)\n", e.UserType, e.UserType)
	case LogKeyDetails:
		dst = fmt.Appendf(dst, "Priv/Secret Key Handle : %d\n", e.PrivateHandle)
		dst = fmt.Appendf(dst, "Public Key Handle : %d\n", e.PublicHandle)
	}
	return dst
}

// printable keeps a name from forging lines of the log.
func printable(name string) string {
	quoted := fmt.Sprintf("%q", name)
	return quoted[1 : len(quoted)-1]
}
