package hsmpool

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// callLog follows the management calls that one worker announces and passes them on
// to the Auditor. Until the worker says which token it selected the calls wait,
// because they are recorded under the HSM's name. Only the worker's reader uses it,
// except for flush and the atomic values.
type callLog struct {
	auditor Auditor
	log     hclog.Logger
	// fallback names the HSM if the worker is lost before it can.
	fallback identity

	held []audit.HSMCommand
	open map[uint64]*workerv1.Call // announced and not ended, by session: each makes one at a time

	who     atomic.Pointer[identity]
	counter atomic.Uint32
	refused atomic.Pointer[recordError] // why the Auditor did not take something
}

// follow notes the announcement of a call, or records one that has ended.
func (l *callLog) follow(c *workerv1.Call) {
	if !c.GetEnded() {
		if l.open == nil {
			l.open = make(map[uint64]*workerv1.Call)
		}
		l.open[c.GetSession()] = c
		return
	}
	delete(l.open, c.GetSession())
	l.record(command(c, false))
}

func (l *callLog) record(cmd audit.HSMCommand) {
	who := l.who.Load()
	if who == nil {
		l.held = append(l.held, cmd)
		return
	}
	if err := l.auditor.QueueHSM(who.hsmID, cmd); err != nil {
		l.log.Error("HSM entry is lost", "hsm", who.hsmID, "function", cmd.Function, "key_id", cmd.KeyID, "request_id", cmd.RequestID, "error", err)
		l.refused.Store(&recordError{err})
	}
}

// identify records the worker's start, and the calls that waited for its name.
func (l *callLog) identify(who identity) {
	if !l.who.CompareAndSwap(nil, &who) {
		return
	}
	counter, err := l.auditor.Boot(who.hsmID)
	if err != nil {
		l.refused.Store(&recordError{err})
	}
	l.counter.Store(counter)
	for _, cmd := range l.held {
		l.record(cmd)
	}
	l.held = nil
}

// flush returns nil once everything followed so far, and everything of this HSM
// before it, is durable.
func (l *callLog) flush(ctx context.Context) error {
	if refused := l.refused.Load(); refused != nil {
		return refused
	}
	return flush(ctx, l.auditor)
}

// flush is FlushHSM. Its error is a *recordError unless it is that of ctx.
func flush(ctx context.Context, auditor Auditor) error {
	err := auditor.FlushHSM(ctx)
	if err != nil && ctx.Err() == nil {
		return &recordError{err}
	}
	return err
}

// abandon records the calls that the worker did not live to end.
func (l *callLog) abandon() {
	for _, session := range slices.Sorted(maps.Keys(l.open)) {
		l.record(command(l.open[session], true))
	}
	clear(l.open)
	l.name()
}

// name gives calls that wait for an HSM's name the fallback.
func (l *callLog) name() {
	if len(l.held) > 0 {
		l.identify(l.fallback)
	}
}

// recordError says that a call's HSM entry is not durable.
type recordError struct{ err error }

func (e *recordError) Error() string { return e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

// command converts a worker's announcement to an audit entry.
func command(c *workerv1.Call, noReply bool) audit.HSMCommand {
	return audit.HSMCommand{
		Function:      c.GetFunction(),
		Time:          time.UnixMicro(c.GetTimeMicros()).UTC(),
		Session:       c.GetSession(),
		RV:            c.GetRv(),
		UserName:      c.GetUserName(),
		UserType:      userType(c),
		PrivateHandle: c.GetKeyHandle(),
		PublicHandle:  c.GetPublicHandle(),
		TokenObject:   c.GetTokenObject(),
		KeyLabel:      c.GetKeyLabel(),
		KeyID:         c.GetKeyId(),
		RequestID:     c.GetRequestId(),
		NoReply:       noReply,
	}
}

// userType maps CKU_SO (0) and CKU_USER (1) of a call about a user.
func userType(c *workerv1.Call) audit.UserType {
	switch {
	case c.GetUserName() == "":
		return audit.UserTypeNone
	case c.GetUserType() == 0:
		return audit.UserTypeCryptoOfficer
	}
	return audit.UserTypeCryptoUser
}
