package keystore

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/keystore/policy"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// Limits of the principals that are stored, and of the policies. Lists of them have
// no pages, and clients take answers of up to 4 MiB.
const (
	maxStored      = 1000
	maxStoredBytes = 2 << 20
)

// directoryChange is the change of one record of the directory.
type directoryChange struct {
	arn      string // names it in the intent
	path     string
	record   proto.Message // nil: it is removed
	revision uint64        // of what is there; 0: nothing is
	apply    func(*directoryContents)
}

// changeDirectory performs a change of the directory. prepare is called for a caller
// who may make it, and given what is stored while nobody else changes any of it,
// since principals and policies depend on each other.
func changeDirectory[Res proto.Message](ctx context.Context, k *Keystore, fullMethod string, req proto.Message,
	prepare func(directoryContents) (*directoryChange, error), answer Res,
) (Res, error) {
	var c *directoryChange
	return perform(ctx, k, fullMethod, req, plan[Res]{
		targets: k.inDirectory(),
		check: func([]target) (err error) {
			stored := k.directory.snapshot()
			if c, err = prepare(stored); err != nil {
				return err
			}
			return k.checkDirectoryLockout(ctx, stored, c)
		},
		change: func([]target) audit.Intent { return audit.Intent{ResourceARN: c.arn} },
		run:    func(ctx context.Context, p *proof) (Res, error) { return answer, k.storeDirectory(ctx, p, c) },
	})
}

// inDirectory stands for all of the directory, of which one change is made at a
// time.
func (k *Keystore) inDirectory() finder {
	return on(func() target { return target{resource: "*", path: k.scope.globalPrefix()} })
}

// storeDirectory makes a change of one record.
func (k *Keystore) storeDirectory(ctx context.Context, p *proof, c *directoryChange) error {
	txn := metadata.Txn{Conditions: []metadata.Condition{{Key: c.path, Revision: c.revision}}}
	if c.record == nil {
		txn.Deletes = []string{c.path}
	} else {
		value, err := encodeValue(c.record)
		if err != nil {
			return err
		}
		txn.Puts = []metadata.KeyValue{{Key: c.path, Value: value}}
	}
	return k.commitDirectory(ctx, p, c.arn, txn)
}

// commitDirectory makes a change of what is so called and waits until it is in
// force, whether its caller does or not: the next change, which is held back
// meanwhile, has to see this one.
func (k *Keystore) commitDirectory(ctx context.Context, p *proof, what string, txn metadata.Txn) error {
	revision, err := k.store.Commit(ctx, txn)
	if err != nil {
		return notStored(ctx, what, err)
	}
	p.revision = revision
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := k.directory.reach(ctx, revision); err != nil {
		k.log.Warn("a stored change is not in force yet", "revision", revision, "error", err)
	}
	return nil
}

// checkDirectoryLockout refuses a change by which the caller would take from
// itself the right to change principals: whoever makes a mistake can correct it.
func (k *Keystore) checkDirectoryLockout(ctx context.Context, stored directoryContents, c *directoryChange) error {
	caller, _ := CallerFrom(ctx)
	if !k.mayPutPrincipals(caller, k.identities.Load()) {
		return nil
	}
	stored = stored.clone()
	c.apply(&stored)
	after, err := k.directory.configured.with(&stored)
	if err != nil {
		return err
	}
	if !k.mayPutPrincipals(caller, after.identities) {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
			"The change would take the right to strongroom:PutPrincipal from you; let another principal make it.")
	}
	return nil
}

func (k *Keystore) mayPutPrincipals(caller Caller, identities *policy.Identities) bool {
	question := policy.Request{
		Principal: caller.Principal, Action: "strongroom:PutPrincipal", Resource: "*",
		Context: &circumstances{request: &request{k: k, caller: caller}},
	}
	return policy.Decide(question, policy.Sources{KeyAccount: k.scope.account, Identity: identities.Of(caller.Principal)}).Allowed()
}

// badMember is the answer to a member of a request that cannot be as it is.
func badMember(member, format string, args ...any) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION,
		"1 validation error detected: Value at '%s' failed to satisfy constraint: %s", member, fmt.Sprintf(format, args...))
}

// checkRoom refuses more principals or policies than can be stored.
func checkRoom(what string, number, size int) error {
	if number > maxStored || size > maxStoredBytes {
		return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "No more than %d %s can be stored, of %d bytes in all.", maxStored, what, maxStoredBytes)
	}
	return nil
}
