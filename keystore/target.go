package keystore

import (
	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore/blob"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// target is one resource of a request.
type target struct {
	key   *key   // nil: it is no key, or not found
	alias *alias // nil: it is no alias, or not found
	// isAlias says that resource is an alias, there or to be.
	isAlias bool
	store   *customStore // nil: it is no custom key store, or not found
	// isStore says that it is a custom key store, for which IAM has no resource.
	isStore bool
	// resource is the ARN that policies are asked about, "*" when there is none.
	resource string
	// ref is the alias, or its ARN, by which the request names a key; empty when it
	// names it otherwise.
	ref string
	// path is where the resource stands in the metadata store; empty when there
	// is none. A change keeps it to itself.
	path string
	// err says why the resource cannot be acted on. The caller hears it only
	// when it may act on the resource.
	err error
}

// finder finds what a request acts on.
type finder func() []target

// on makes a finder of one target.
func on(find func() target) finder {
	return func() []target { return []target{find()} }
}

// onKey makes a check of a plan that looks at the first target's key alone.
func onKey(check func(*key) error) func([]target) error {
	return func(found []target) error { return check(found[0].key) }
}

// byReference finds the key that a request names by a key id, key ARN, alias
// name or alias ARN.
func (k *Keystore) byReference(ref string) func() target {
	return func() target {
		r, err := k.scope.parseReference(ref)
		if err != nil {
			return target{resource: "*", err: err}
		}
		if r.alias == "" {
			return k.keyTarget(r.key)
		}
		a := k.view.alias(r.alias)
		if a == nil {
			return target{resource: "*", err: k.noAlias(r.alias)}
		}
		t := k.keyTarget(a.target)
		t.ref = ref
		return t
	}
}

// byKeyID finds the key that a request names by a key id or key ARN; an alias
// will not do.
func (k *Keystore) byKeyID(ref string) func() target {
	return func() target {
		r, err := k.scope.parseReference(ref)
		if err == nil && r.alias != "" {
			err = invalidKeyID(ref)
		}
		if err != nil {
			return target{resource: "*", err: err}
		}
		return k.keyTarget(r.key)
	}
}

// keyTarget is a key, found or not.
func (k *Keystore) keyTarget(id uuid.UUID) target {
	t := target{key: k.placed(k.view.get(id)), resource: k.scope.keyARN(id), path: k.scope.keyPath(id)}
	if t.key == nil {
		t.err = errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Key '%s' does not exist", t.resource)
	}
	return t
}

// aliasTarget is an alias that must exist.
func (k *Keystore) aliasTarget(name string) target {
	t := target{alias: k.view.alias(name), isAlias: true, resource: k.scope.arn(name), path: k.scope.aliasPath(name)}
	if t.alias == nil {
		t.err = k.noAlias(name)
	}
	return t
}

func (k *Keystore) noAlias(name string) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Alias %s is not found.", k.scope.arn(name))
}

// byCiphertext finds the key that a ciphertext names. As with AWS, a caller
// does not learn whether the key is gone or was never here.
func (k *Keystore) byCiphertext(b blob.Blob, malformed error) func() target {
	return func() target {
		if malformed != nil {
			return target{resource: "*", err: malformed}
		}
		t := k.keyTarget(b.Header.KeyID)
		if t.key == nil {
			t.err = errorf(annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED,
				"The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
		}
		return t
	}
}

// bySource finds the key that is to decrypt a ciphertext: the one that the
// request names, or else the one that the ciphertext names.
func (k *Keystore) bySource(keyID *string, b blob.Blob, malformed error) func() target {
	if keyID != nil {
		return k.byReference(*keyID)
	}
	return k.byCiphertext(b, malformed)
}
