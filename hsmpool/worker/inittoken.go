//go:build cgo

package worker

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// officer is the name under which the security officer's commands are recorded.
const officer = "so"

// tokenMaker initialises a token. It uses miekg/pkcs11 alone: crypto11 opens a module
// only together with a token that exists.
type tokenMaker struct {
	calls      *announcer
	ctx        *pkcs11.Ctx
	label      string
	soPIN, pin string
}

// initToken initialises the token of a free slot and sets its user's PIN.
func initToken(calls *announcer, r *workerv1.InitTokenRequest) error {
	soPIN, err := readPIN(r.GetSoPin())
	if err != nil {
		return unavailable(fmt.Errorf("security officer: %w", err), "check the PIN's source")
	}
	pin, err := readPIN(r.GetPin())
	if err != nil {
		return unavailable(err, "check the PIN's source")
	}
	defer lockTokens(hclog.NewNullLogger()).release() // others may be starting
	if _, err := loadLibrary(r.GetLibrary(), newCounts()); err != nil {
		return unavailable(err, "check the library's path")
	}
	m := &tokenMaker{calls: calls, ctx: pkcs11.New(r.GetLibrary()), label: r.GetLabel(), soPIN: string(soPIN), pin: string(pin)}
	if m.ctx == nil {
		return unavailable(fmt.Errorf("loading the PKCS#11 library %s", r.GetLibrary()), "check the library's path")
	}
	if err := m.call(&workerv1.Call{Function: "C_Initialize"}, func() error { return m.ctx.Initialize() }); err != nil {
		return err
	}
	err = m.make()
	return errors.Join(err, m.call(&workerv1.Call{Function: "C_Finalize"}, m.ctx.Finalize))
}

func (m *tokenMaker) make() error {
	slot, err := m.freeSlot()
	if err != nil {
		return err
	}
	init := &workerv1.Call{Function: "C_InitToken"}
	if err := m.call(init, func() error { return m.ctx.InitToken(slot, m.soPIN, m.label) }); err != nil {
		return err
	}
	slot, err = m.newSlot()
	if err != nil {
		return err
	}
	session, err := m.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return judge(ckr.ProfileSoftHSM, "C_OpenSession", err, "opening a session")
	}
	return m.setPIN(session)
}

// setPIN sets the user's PIN as the security officer.
func (m *tokenMaker) setPIN(session pkcs11.SessionHandle) error {
	login := &workerv1.Call{Function: "C_Login", Session: uint64(session), UserName: officer, UserType: pkcs11.CKU_SO}
	if err := m.call(login, func() error { return m.ctx.Login(session, pkcs11.CKU_SO, m.soPIN) }); err != nil {
		return err
	}
	initPIN := &workerv1.Call{Function: "C_InitPIN", Session: uint64(session), UserName: profile{}.userName([]byte(m.pin)), UserType: pkcs11.CKU_USER}
	err := m.call(initPIN, func() error { return m.ctx.InitPIN(session, m.pin) })
	logout := &workerv1.Call{Function: "C_Logout", Session: uint64(session), UserName: officer, UserType: pkcs11.CKU_SO}
	return errors.Join(err, m.call(logout, func() error { return m.ctx.Logout(session) }))
}

// freeSlot returns a slot whose token is not initialised, if no token has the label.
func (m *tokenMaker) freeSlot() (uint, error) {
	free, found := uint(0), false
	err := m.eachToken(func(slot uint, info pkcs11.TokenInfo) error {
		initialised := info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0
		if initialised && info.Label == m.label {
			return internal(fmt.Errorf("a token with label %q exists already", m.label))
		}
		if !initialised && !found {
			free, found = slot, true
		}
		return nil
	})
	if err == nil && !found {
		err = internal(errors.New("no slot has a token that is not initialised"))
	}
	return free, err
}

// newSlot finds the new token, which may have moved to another slot, and tells the
// server which one it is.
func (m *tokenMaker) newSlot() (uint, error) {
	var at uint
	var made *workerv1.TokenInfo
	err := m.eachToken(func(slot uint, info pkcs11.TokenInfo) error {
		if info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 && info.Label == m.label {
			at, made = slot, describeToken(m.ctx, info)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if made == nil {
		return 0, internal(fmt.Errorf("the new token %q is not to be found", m.label))
	}
	return at, send(m.calls.conn, &workerv1.FromWorker{Message: &workerv1.FromWorker_Token{Token: made}})
}

func (m *tokenMaker) eachToken(visit func(slot uint, info pkcs11.TokenInfo) error) error {
	slots, err := m.ctx.GetSlotList(true)
	if err != nil {
		return judge(ckr.ProfileSoftHSM, "C_GetSlotList", err, "listing the slots")
	}
	for _, slot := range slots {
		info, err := m.ctx.GetTokenInfo(slot)
		if err != nil {
			return judge(ckr.ProfileSoftHSM, "C_GetTokenInfo", err, "looking at a token")
		}
		if err := visit(slot, info); err != nil {
			return err
		}
	}
	return nil
}

// call makes a management call and judges its failure.
func (m *tokenMaker) call(c *workerv1.Call, do func() error) error {
	if err := m.calls.call(c, do); err != nil {
		return judge(ckr.ProfileSoftHSM, c.GetFunction(), err, "initialising the token")
	}
	return nil
}
