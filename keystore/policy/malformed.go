package policy

import "fmt"

// Messages of AWS for malformed key policies.
const (
	// LockoutMessage is for a key policy that [AllowsPrincipal] refuses.
	LockoutMessage = "The new key policy will not allow you to update the key policy in the future."

	invalidPrincipals = "Policy contains a statement with one or more invalid principals."
	keysNotPermitted  = "These condition keys are not permitted in a key policy: aws:ResourceTag, kms:ResourceTag, kms:ResourceAliases"
)

// MalformedError says that a policy cannot be understood.
type MalformedError struct {
	// Where is the place in the document, e.g. "Statement[1].Effect", or the line
	// and column of what is not JSON.
	Where string
	// What is wrong there.
	What string

	message string
}

// Error says where and what.
func (e *MalformedError) Error() string { return e.Where + ": " + e.What }

// Message is for the caller of the API: AWS's words where they are known, else
// those of Error.
func (e *MalformedError) Message() string {
	if e.message != "" {
		return e.message
	}
	return e.Error()
}

func malformed(where, format string, args ...any) *MalformedError {
	return &MalformedError{Where: where, What: fmt.Sprintf(format, args...)}
}

// as sets AWS's message.
func (e *MalformedError) as(message string) *MalformedError {
	e.message = message
	return e
}
