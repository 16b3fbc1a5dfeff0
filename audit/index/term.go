package index

import "strconv"

// Field is what a term is about. The values are on disk, as part of the hashes.
type Field byte

// Fields of API events, of HSM entries, and of both.
const (
	EventName    Field = 1  // eventName
	EventSource  Field = 2  // eventSource
	EventID      Field = 3  // eventID
	RequestID    Field = 4  // requestID; of HSM entries too
	Principal    Field = 5  // userIdentity.arn, and userIdentity.userName
	UserName     Field = 6  // userIdentity.userName; of HSM entries userName
	AccessKeyID  Field = 7  // userIdentity.accessKeyId
	ErrorCode    Field = 8  // errorCode
	Failed       Field = 9  // "true" with an errorCode, else "false"; of HSM entries, if the command failed
	ReadOnly     Field = 10 // readOnly: "true" or "false"
	Region       Field = 11 // awsRegion
	Resource     Field = 12 // the ARN of each of the resources, and of a key its id
	ResourceType Field = 13 // the type of each of the resources
	HSM          Field = 32 // hsm
	Opcode       Field = 33 // opcode
	Key          Field = 34 // keyLabel, the key's id in it if it is a key's ARN, and keyID
)

// Term is something that records can be found by. Values are compared exactly.
type Term struct {
	Field Field
	Value string
}

// Flag returns the term of a field that is "true" or "false".
func Flag(f Field, value bool) Term { return Term{f, strconv.FormatBool(value)} }

// Hash returns the term's hash: FNV-1a, 64 bit, over the field's byte and the
// value, and then mixed so that its upper bits are spread evenly too.
func (t Term) Hash() uint64 { return hashOf(t.Field, t.Value) }

func hashOf[V string | []byte](f Field, value V) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := (uint64(offset) ^ uint64(f)) * prime
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * prime
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
