package hsmpool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// maxOpenLogins is how many logins may end unknown before an operator has to look: the
// tokens that lock the earliest lock after three wrong PINs, and FINAL_TRY is said before
// the last.
const maxOpenLogins = 3

// concludeTimeout bounds noting what became of a login, which is done although nobody may
// wait for the login any more.
const concludeTimeout = 10 * time.Second

const (
	hintUnlock = "make sure that the PIN is right and that the HSM's user is not locked, then run `strongroom hsm unlock-check`"
	warnPIN    = "the user PIN was given wrongly since the login before this worker's: find out who has a wrong one, because the HSM locks after a few"
)

// login has the worker log in, unless what is known of logins before forbids it. That the
// login is tried is durable before it is, and what became of it before the member is
// ready. Of a worker that is lost at it nobody knows how it ended, and that is what stays
// noted. A reply that says why it failed is returned beside the error.
func (m *member) login(ctx context.Context, p *process) (*workerv1.Reply, error) {
	token := p.token.Load()
	end, err := m.pool.pin.begin(ctx)
	if err != nil {
		m.decline(ctx, p)
		return nil, fmt.Errorf("waiting for another HSM's login: %w", err)
	}
	defer end()
	try, err := m.cfg.Guard.begin(ctx, token.GetSerial())
	if err != nil {
		m.decline(ctx, p)
		return nil, fmt.Errorf("noting the login before it is tried: %w", err)
	}
	defer try.end()
	if why := m.risk(token, try.known); why != "" {
		m.decline(ctx, p)
		return tooRisky(why), errors.Join(errors.New(why), try.undecided(ctx))
	}
	reply, err := p.roundTrip(ctx, loginRequest(try.known, m.pool.pin.known()), newCall(true))
	if err != nil {
		return p.settle(nil, err)
	}
	m.pool.pin.learn(reply)
	if err := conclude(ctx, try, reply); err != nil {
		return reply, fmt.Errorf("noting what became of the login: %w", err)
	}
	if reply.GetFailure() == nil {
		m.warn(p)
	}
	return p.settle(reply, p.calls.flush(ctx))
}

// risk returns why a login is too risky to try; empty if it is not. A PIN by which this
// process has been logged in already is most likely right.
func (m *member) risk(token *workerv1.TokenInfo, known LoginHistory) string {
	const lost = "the login is not tried: nobody knows how the %d before it ended, and "
	switch {
	case known.Open == 0 || m.served() != (TokenInfo{}):
		return ""
	case token.GetState().GetPinCountLow():
		return fmt.Sprintf(lost+"the token says that a wrong PIN was given since the last that succeeded", known.Open)
	case known.Open >= maxOpenLogins:
		return fmt.Sprintf(lost+"the token may have counted each as a wrong PIN", known.Open)
	}
	return ""
}

// tooRisky is what a worker would reply that thought a login too risky.
func tooRisky(why string) *workerv1.Reply {
	return &workerv1.Reply{Failure: &workerv1.Failure{
		Class: workerv1.FailureClass_FAILURE_CLASS_OPERATOR, Message: why, Hint: hintUnlock,
	}}
}

// loginRequest asks for a login by any PIN but those that were refused by the token, or by
// another one of its cluster.
func loginRequest(known LoginHistory, cluster []RefusedPIN) *workerv1.ToWorker {
	login := &workerv1.LoginRequest{}
	if defence.On(defence.PINGuard) {
		for _, r := range slices.Concat(known.Refused, cluster) {
			login.Refused = append(login.Refused, &workerv1.RefusedPin{Salt: r.Salt, Hash: r.Hash})
		}
	}
	return &workerv1.ToWorker{Request: &workerv1.ToWorker_Login{Login: login}}
}

// conclude notes what became of a login that was answered.
func conclude(ctx context.Context, try *attempt, reply *workerv1.Reply) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), concludeTimeout)
	defer cancel()
	refused := RefusedPIN{Salt: reply.GetRefusedPin().GetSalt(), Hash: reply.GetRefusedPin().GetHash(), At: time.Now()}
	switch {
	case reply.GetFailure() == nil:
		return try.succeeded(ctx)
	case reply.GetRefusedPin() != nil && reply.GetFunction() == "":
		return try.forbidden(ctx, refused)
	case reply.GetRefusedPin() != nil:
		return try.refused(ctx, refused)
	}
	return try.undecided(ctx)
}

// decline has the worker finalise its library instead of logging in.
func (m *member) decline(ctx context.Context, p *process) {
	stop := &workerv1.ToWorker{Request: &workerv1.ToWorker_Stop{Stop: &workerv1.StopRequest{}}}
	if _, err := p.settle(p.manage(ctx, stop, newCall(true))); err != nil {
		m.log.Warn("the library was not finalised in order", "pid", p.pid(), "error", err)
	}
}

// warn notes what the token said of its PIN before the login.
func (m *member) warn(p *process) {
	warning, who := "", p.calls.who.Load()
	if p.token.Load().GetState().GetPinCountLow() {
		warning = warnPIN
		m.log.Warn(warning, "hsm", who.hsmID, "token", who.token.Label, "serial", who.token.Serial)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Warning = warning
}

// settle makes an error of what became of a request to a worker that is not ready: why the
// worker was lost, or what it failed at.
func (p *process) settle(reply *workerv1.Reply, err error) (*workerv1.Reply, error) {
	if errors.Is(err, errLost) || errors.Is(err, errNotSent) {
		return nil, p.reason()
	}
	if err == nil && reply.GetFailure() != nil {
		return reply, errors.New(reply.GetFailure().GetMessage())
	}
	return reply, err
}
