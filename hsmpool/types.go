package hsmpool

import (
	"encoding/hex"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// ObjectID is an object's CKA_ID in the token: 16 random bytes.
type ObjectID [16]byte

// String returns the id in lower-case hexadecimal.
func (id ObjectID) String() string { return hex.EncodeToString(id[:]) }

// Trace says where a request was carried out: the HSM, the last C_ function called
// for it, and the code (CK_RV) that this function returned.
type Trace struct {
	HSM      string
	Function string
	RV       uint32
	// Waited is how long the request waited for a place at an HSM, Took how long it was
	// from then until its answer, with the HSM entries of its calls on record; the sum over
	// all HSMs that were asked, and for a new key over those that had to learn of it.
	Waited, Took time.Duration
}

// GenerateRequest asks for a key.
type GenerateRequest struct {
	// ID becomes CKA_ID; no object of the token may have it.
	ID ObjectID
	// Label becomes CKA_LABEL.
	Label string
	// Type is the kind of key, Use the one thing that it may do.
	Type KeyType
	Use  Use
}

// Generated is the outcome of a generation.
type Generated struct {
	// PublicKey is SubjectPublicKeyInfo, DER; nil for secret keys.
	PublicKey []byte
	Trace     Trace
}

// Sealed is the outcome of AES-256-GCM encryption.
type Sealed struct {
	// IV is the 96-bit IV that was used, as read back from the token.
	IV [12]byte
	// Ciphertext ends in the 16-byte tag.
	Ciphertext []byte
	Trace      Trace
}

// SealedRandom is random plaintext and its encryption.
type SealedRandom struct {
	Sealed
	// Plaintext is nil if it was not to be kept. Its owner wipes it.
	Plaintext []byte
}

// Opened is the outcome of decryption.
type Opened struct {
	// Plaintext is not nil, and empty if nothing had been sealed. Its owner wipes it.
	Plaintext []byte
	Trace     Trace
}

// State says whether an HSM takes requests.
type State int

// The states of an HSM.
const (
	_ State = iota
	// Starting: the worker is being started, or replaced.
	Starting
	// Ready: it takes requests.
	Ready
	// Stopped: an operator has to act; it is not tried again.
	Stopped
	// Suspended: it keeps failing and is only probed until it answers again, or it was
	// withdrawn.
	Suspended
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Starting:
		return "starting"
	case Ready:
		return "ready"
	case Stopped:
		return "stopped"
	case Suspended:
		return "suspended"
	}
	return "invalid"
}

// Status is one HSM as the pool sees it.
type Status struct {
	// HSMID and ClusterID name it in both audit trails.
	HSMID, ClusterID string
	// Token is what the token and the library say of themselves.
	Token TokenInfo
	// Library is the path of the PKCS#11 library, Profile its habits.
	Library, Profile string
	State            State
	// Reason says why the state is not Ready, and what to do.
	Reason string
	// Warning is what an operator should look into although the HSM is ready; empty if
	// nothing is.
	Warning string
	// WorkerPID is the process that has the library loaded; 0 if there is none.
	WorkerPID int
	// ReadySince is when that worker became ready.
	ReadySince time.Time
	// RebootCounter counts worker starts since the token was first used.
	RebootCounter uint32
	// Restarts counts worker restarts since Open.
	Restarts uint32
	// Sessions that the worker holds, Keys on the token, secret and private, that it knows.
	Sessions, Keys uint32
	// InFlight counts requests that wait for an answer.
	InFlight uint32
	// Waiting counts requests that wait for a place at any of the pool's HSMs.
	Waiting uint32
	// Places is how many requests that use keys it is given at the same time: fewer while it
	// says that it is busy.
	Places uint32
	// BreakerOpen: it keeps failing, and is only probed.
	BreakerOpen bool
	// Withdrawn is why it was withdrawn; empty if it was not.
	Withdrawn string
	// PIN is what the token said last of its user PIN, or how the login has ended for which
	// the HSM is stopped.
	PIN PINState
	// Figures are what the worker counts.
	Figures Figures
}

// Figures are what the workers of an HSM have counted at the C_ boundary since Open, and
// what the token says, as of the last report: a worker reports once a second or more often,
// when it is ready, and when it could not start. To ask for them asks no HSM.
type Figures struct {
	// At is when a worker reported last; zero: none has.
	At time.Time
	// SessionKeys are the keys of the worker's sessions; TokenKeys the secret and private keys
	// of the token that it knows. The public keys of pairs are not kept in the token.
	SessionKeys, TokenKeys uint32
	// TokenSessions is how many sessions of all applications the token has open, and
	// MaxSessions how many it allows (CK_TOKEN_INFO); 0: it does not say. A token that serves
	// is asked once a second at most.
	TokenSessions, MaxSessions uint32
	// OctetsIn and OctetsOut are the bytes that went into C_ functions and came out of them:
	// in, whatever the call returned, IV, AAD, other sides' public points, plaintext,
	// ciphertext, messages, digests, wrapped material and the values of templates; out, of
	// calls that succeeded, random bytes, plaintext, ciphertext, signatures, digests, wrapped
	// material and the values of attributes. Handles, lengths and the PIN are not counted.
	OctetsIn, OctetsOut uint64
	// Calls are the calls of C_ functions by all workers since Open, in the order of
	// function, mechanism and code. What they did between its last report and its loss a worker
	// takes along.
	Calls []CallCount
}

// CallCount counts calls of a C_ function that ended alike.
type CallCount struct {
	// Function is its name, Mechanism PKCS#11's name of its mechanism; empty: it has none.
	Function, Mechanism string
	RV                  uint32
	Count               uint64
	// Took is the time that all of them took together.
	Took time.Duration
}

// TokenInfo is what a token and its library say of themselves (CK_TOKEN_INFO,
// CK_INFO).
type TokenInfo struct {
	Label, Serial, Manufacturer, Model string
	FirmwareVersion                    string
	LibraryDescription, LibraryVersion string
}

// rvName returns the name of a return code, for messages.
func rvName(rv uint32) string { return ckr.RV(rv).String() }
