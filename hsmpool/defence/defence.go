// Package defence names what keeps the faults of HSMs from reaching callers, so that
// each test of a fault can show that it fails without the defence against it.
//
// In every ordinary build all defences are on, for good, and On costs nothing. A
// build with the tag "undefended", which only tests make, leaves off those that the
// environment variable STRONGROOM_WITHOUT lists, separated by commas.
package defence

// Defence is one measure against a fault of an HSM.
type Defence string

// The defences. docs/reliability.md tells which fault each one is against.
const (
	// Replacement starts another worker in the place of one that was lost.
	Replacement Defence = "replacement"
	// FreshSession replaces a session after an error of which nobody knows what it left.
	FreshSession Defence = "fresh-session"
	// Refind looks for an object again whose handle was refused.
	Refind Defence = "refind"
	// Verification checks that a handle that was found names the object it was found for.
	Verification Defence = "verification"
	// Forgetting has all members drop the handle of a key that one has destroyed.
	Forgetting Defence = "forgetting"
	// KeepAlive uses connections that would otherwise be idle.
	KeepAlive Defence = "keep-alive"
	// HangDetection condemns a worker whose library does not return.
	HangDetection Defence = "hang-detection"
	// Bound keeps requests that wait from reaching the library.
	Bound Defence = "bound"
	// Fairness lets the requests of different keys take turns.
	Fairness Defence = "fairness"
	// OneChange makes and destroys keys one at a time.
	OneChange Defence = "one-change"
	// Restraint sends less to an HSM that says that it is busy.
	Restraint Defence = "restraint"
	// FewerSessions goes on with the sessions that the token grants.
	FewerSessions Defence = "fewer-sessions"
	// OneLogin takes a user who is logged in already for logged in.
	OneLogin Defence = "one-login"
	// PINGuard never tries a PIN again that the token has refused.
	PINGuard Defence = "pin-guard"
	// OneToken insists on exactly one token that matches, and stays with it.
	OneToken Defence = "one-token"
	// Degraded serves what can be served while no HSM is there.
	Degraded Defence = "degraded"
	// UniqueIDs refuses an id that several objects have.
	UniqueIDs Defence = "unique-ids"
	// OrphanHunt destroys what a failed generation may have left.
	OrphanHunt Defence = "orphan-hunt"
	// IVReadBack keeps the IV that the token used, not the one that it was given.
	IVReadBack Defence = "iv-read-back"
	// ReadWrite opens read-write sessions only.
	ReadWrite Defence = "read-write"
	// PINFirst reads the PIN before the library is initialised.
	PINFirst Defence = "pin-first"
	// Canary tells a caller's bad input from a broken device.
	Canary Defence = "canary"
	// RetryElsewhere asks another member, or the next worker, once more.
	RetryElsewhere Defence = "retry-elsewhere"
	// Breaker keeps requests from a member that keeps failing.
	Breaker Defence = "breaker"
	// Availability waits until enough members know a new key.
	Availability Defence = "availability"
)
