package chaos

import (
	"crypto"
	"slices"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// kind is a type of key, as far as what can be done with it goes.
type kind int

// The kinds of keys.
const (
	secret kind = iota // encrypts
	stored             // encrypts, in the custom key store
	rsaSigning
	rsaSealing
	curve // signs
	mac
)

// key is what its client knows of a key. Each key has one client that changes it.
type key struct {
	arn  string
	kind kind
	// states are those that the key may be in: several after a change whose answer
	// was lost.
	states []kmsv1.KeyState
	// rotations is how often the key may have been rotated, at most.
	rotations int
	public    crypto.PublicKey // of rsaSigning, rsaSealing and curve
	// made is the request that made it.
	made *request
}

// The states of keys that are met here.
const (
	enabled  = kmsv1.KeyState_KEY_STATE_ENABLED
	disabled = kmsv1.KeyState_KEY_STATE_DISABLED
	doomed   = kmsv1.KeyState_KEY_STATE_PENDING_DELETION
)

// is tells whether the key is surely in a state.
func (k *key) is(s kmsv1.KeyState) bool { return len(k.states) == 1 && k.states[0] == s }

// became notes what a change has come to.
func (k *key) became(r *request, s kmsv1.KeyState) {
	switch {
	case r.Lost != "" && !slices.Contains(k.states, s):
		k.states = append(k.states, s)
	case r.Lost == "" && r.Outcome == "":
		k.states = []kmsv1.KeyState{s}
	}
}

// outcomes of a request that is refused in certain states of a key.
func (k *key) outcomes(of map[kmsv1.KeyState]string) []string {
	var all []string
	for _, s := range k.states {
		all = append(all, of[s])
	}
	return all
}

// using is how a request that uses the key may end; outcome is how it ends when
// the key is enabled.
func (k *key) using(outcome string) []string {
	return k.outcomes(map[kmsv1.KeyState]string{enabled: outcome, disabled: "DisabledException", doomed: invalidState})
}

// switching is how EnableKey, DisableKey, ScheduleKeyDeletion and changes of aliases
// may end.
func (k *key) switching() []string {
	return k.outcomes(map[kmsv1.KeyState]string{doomed: invalidState})
}

// cancelling is how CancelKeyDeletion may end.
func (k *key) cancelling() []string {
	return k.outcomes(map[kmsv1.KeyState]string{enabled: invalidState, disabled: invalidState})
}

// alias is what its client knows of an alias.
type alias struct {
	name string
	// targets are the keys that it may name; nil among them: there may be no alias.
	targets []*key
}

// became notes what a change has come to.
func (a *alias) became(r *request, k *key) {
	switch {
	case r.Lost != "" && !slices.Contains(a.targets, k):
		a.targets = append(a.targets, k)
	case r.Lost == "" && r.Outcome == "":
		a.targets = []*key{k}
	}
}

// target is the key that the alias surely names, or nil.
func (a *alias) target() *key {
	if len(a.targets) == 1 {
		return a.targets[0]
	}
	return nil
}
