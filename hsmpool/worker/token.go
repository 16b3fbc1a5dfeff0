//go:build cgo

package worker

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/eclipse-keypont/crypto11"
	"github.com/hashicorp/go-hclog"
	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/hsmpool/ration"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const hintSelector = "check the token's label and serial number, and the library's configuration"

// token is an open module and the one token that was selected.
type token struct {
	profile profile
	calls   *announcer
	log     hclog.Logger
	hot     *library
	module  *crypto11.Context
	ctx     *cryptoki
	slot    uint
	info    pkcs11.TokenInfo
	// told rations lines of the log about faults that are got over.
	told ration.Ration
	// userName is under whose name logins are recorded.
	userName string
	// starting is held until the keys are listed.
	starting *startLock
	// storing is held by what changes or looks through the token's objects.
	storing storing
	// ivProven: what was sealed here opens with the IV that the token told.
	ivProven atomic.Bool
	// rawOAEP: OAEP by another hash than SHA-1 needs the worker's help.
	rawOAEP atomic.Bool
	// rawUnwrap: C_UnwrapKey does not know OAEP by another hash than SHA-1.
	rawUnwrap atomic.Bool
}

// openToken has crypto11 initialise the module, and selects the token. When it fails
// the library has been finalised again.
func openToken(calls *announcer, counts *counts, log hclog.Logger, r *workerv1.StartRequest) (*token, error) {
	profile, err := profileOf(r.GetProfile())
	if err != nil {
		return nil, internal(err)
	}
	starting := profile.lockStart(log)
	if err := profile.safeguard(log); err != nil {
		return nil, unavailable(err, "check its disk")
	}
	hot, err := loadLibrary(r.GetLibrary(), counts)
	if err != nil {
		return nil, unavailable(err, "check the library's path")
	}
	t := &token{profile: profile, calls: calls, log: log, hot: hot, ctx: &cryptoki{pkcs11.New(r.GetLibrary()), counts}, starting: starting}
	t.storing.needed = profile.changesAlone
	if t.ctx.ctx == nil {
		return nil, unavailable(fmt.Errorf("loading the PKCS#11 library %s", r.GetLibrary()), "check the library's path")
	}
	if err := t.initialize(r); err != nil {
		return nil, err
	}
	if err := t.selectSlot(r.GetToken()); err != nil {
		t.giveUp()
		return nil, err
	}
	return t, nil
}

// initialize has crypto11 open the module.
func (t *token) initialize(r *workerv1.StartRequest) error {
	config := &crypto11.Config{
		Path:              r.GetLibrary(),
		TokenSerial:       r.GetToken().GetSerial(),
		MaxSessions:       randomSessions,
		LoginNotSupported: true, // miekg/pkcs11 logs in, once the token's flags are checked
	}
	if config.TokenSerial == "" {
		config.TokenLabel = r.GetToken().GetLabel()
	}
	var opened error
	err := t.calls.call(&workerv1.Call{Function: "C_Initialize"}, func() error {
		return t.ctx.call("C_Initialize", nil, func() error {
			t.module, opened = crypto11.Configure(config)
			return initializeError(opened)
		})
	})
	if err != nil {
		return judge(t.profile.name, "C_Initialize", err, "initialising the library")
	}
	if opened == nil {
		return nil
	}
	refused := t.afterRefusal(opened)
	if ofSlot(opened) {
		return t.initializeAlone()
	}
	return refused
}

// ofSlot tells whether crypto11 has given up because of a slot whose token it could not look
// at: the one failure that it passes on without a word of its own.
func ofSlot(refused error) bool {
	var code pkcs11.Error
	return errors.As(refused, &code) && refused.Error() == code.Error()
}

// initializeAlone initialises the library again, without crypto11: some libraries list
// slots that have no token or another's. Executors draw random bytes themselves then.
func (t *token) initializeAlone() error {
	if err := t.calls.call(&workerv1.Call{Function: "C_Initialize"}, func() error { return t.ctx.Initialize() }); err != nil {
		return judge(t.profile.name, "C_Initialize", err, "initialising the library")
	}
	return nil
}

// random returns crypto11's source of random bytes, with its session open; nil without
// crypto11.
func (t *token) random() (io.Reader, error) {
	if t.module == nil {
		return nil, nil
	}
	random, err := t.module.NewRandomReader()
	if err != nil {
		return nil, fmt.Errorf("opening the token's random source: %w", err)
	}
	if err := t.drawFrom(random, make([]byte, 1)); err != nil {
		return nil, judge(t.profile.name, "C_GenerateRandom", err, "opening the token's random source")
	}
	return random, nil
}

// drawFrom fills out with random bytes of crypto11's.
func (t *token) drawFrom(random io.Reader, out []byte) error {
	began := time.Now()
	n, err := io.ReadFull(random, out)
	t.ctx.counts.call(callSort{function: "C_GenerateRandom", rv: rvOf(err)}, time.Since(began))
	t.ctx.counts.octets(0, n)
	return err
}

// initializeError returns what C_Initialize returned within a failed Configure; nil if
// something after it failed. crypto11 tells them apart only by its words, which a test
// holds it to.
func initializeError(err error) error {
	if err != nil && strings.Contains(err.Error(), "failed to create module context") {
		return err
	}
	return nil
}

// afterRefusal reports the C_Finalize that crypto11 calls when it finds no token. That
// it found none, too, only its words tell.
func (t *token) afterRefusal(refused error) error {
	var finalized error
	if _, err := t.ctx.GetInfo(); rvOf(err) != ckr.CryptokiNotInitialized {
		finalized = pkcs11.Error(ckr.GeneralError) // crypto11 hides the code
	}
	err := unavailable(fmt.Errorf("selecting the token: %w", refused), hintSelector)
	if strings.Contains(refused.Error(), "could not find PKCS#11 token") {
		err = noToken(err.err)
	}
	return errors.Join(err, t.calls.report("C_Finalize", finalized))
}

// selectSlot finds the slot of the one token that matches, and tells the server which
// it is.
func (t *token) selectSlot(selector *workerv1.TokenSelector) error {
	slots, err := t.ctx.GetSlotList(true)
	if err != nil {
		return judge(t.profile.name, "C_GetSlotList", err, "listing the slots")
	}
	matches := 0
	for _, slot := range slots {
		info, err := t.ctx.GetTokenInfo(slot)
		if err == nil && selects(selector, info) {
			matches++
			t.slot, t.info = slot, info
		}
	}
	if matches == 0 || matches > 1 && defence.On(defence.OneToken) {
		err := fmt.Errorf("%d tokens have label %q and serial number %q: want exactly one",
			matches, selector.GetLabel(), selector.GetSerial())
		if matches == 0 {
			return noToken(err)
		}
		return unavailable(err, hintSelector)
	}
	return send(t.calls.conn, &workerv1.FromWorker{Message: &workerv1.FromWorker_Token{Token: describeToken(t.ctx, t.info)}})
}

// noToken is the failure of a start that finds no token to select. Its code says so;
// no function has returned it.
func noToken(err error) *fault {
	f := unavailable(err, hintSelector)
	f.rv = ckr.TokenNotPresent
	return f
}

// selects tells whether a token matches; what the selector leaves empty matches all.
func selects(s *workerv1.TokenSelector, info pkcs11.TokenInfo) bool {
	return (s.GetLabel() == "" || s.GetLabel() == info.Label) &&
		(s.GetSerial() == "" || s.GetSerial() == info.SerialNumber)
}

// describeToken says what a token of a library is.
func describeToken(library interface{ GetInfo() (pkcs11.Info, error) }, info pkcs11.TokenInfo) *workerv1.TokenInfo {
	d := &workerv1.TokenInfo{
		Label:           text(info.Label),
		Serial:          text(info.SerialNumber),
		Manufacturer:    text(info.ManufacturerID),
		Model:           text(info.Model),
		FirmwareVersion: version(info.FirmwareVersion),
		State:           stateOf(info),
	}
	if lib, err := library.GetInfo(); err == nil {
		d.LibraryDescription, d.LibraryVersion = text(lib.LibraryDescription), version(lib.LibraryVersion)
	}
	return d
}

// stateOf returns what a token says of its user PIN and of sessions.
func stateOf(info pkcs11.TokenInfo) *workerv1.TokenState {
	s := &workerv1.TokenState{
		PinCountLow: info.Flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0,
		PinFinalTry: info.Flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0,
		PinLocked:   info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0,
		MaxSessions: maxSessions(info),
	}
	if n := info.SessionCount; n != pkcs11.CK_UNAVAILABLE_INFORMATION {
		s.Sessions = uint32(min(n, math.MaxUint32))
	}
	return s
}

// maxSessions is the most read-write sessions that the token allows; 0 if it sets no limit
// or tells none.
func maxSessions(info pkcs11.TokenInfo) uint32 {
	var limit uint
	for _, n := range []uint{info.MaxSessionCount, info.MaxRwSessionCount} {
		if n == pkcs11.CK_EFFECTIVELY_INFINITE || n == pkcs11.CK_UNAVAILABLE_INFORMATION {
			continue
		}
		if limit == 0 || n < limit {
			limit = n
		}
	}
	return uint32(min(limit, math.MaxUint32))
}

// text makes what a library printed fit for a protobuf string.
func text(s string) string { return strings.ToValidUTF8(strings.TrimRight(s, " \x00"), "?") }

func version(v pkcs11.Version) string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// openSession opens a session; every session is a read-write one, because some HSMs
// know no other.
func (t *token) openSession() (pkcs11.SessionHandle, error) {
	flags := uint(pkcs11.CKF_SERIAL_SESSION)
	if defence.On(defence.ReadWrite) {
		flags |= pkcs11.CKF_RW_SESSION
	}
	session, err := t.ctx.OpenSession(t.slot, flags)
	if err != nil {
		f := judge(t.profile.name, "C_OpenSession", err, "opening a session")
		f.restart = true
		return 0, f
	}
	return session, nil
}

// renewSession replaces a session after an error. The old one is closed in any case;
// its handle stays when no new one could be opened, and then the worker is replaced.
func (t *token) renewSession(session *pkcs11.SessionHandle) error {
	if !defence.On(defence.FreshSession) {
		return nil
	}
	if err := t.ctx.CloseSession(*session); err != nil {
		t.log.Debug("closing a session after an error", "error", err)
	}
	renewed, err := t.openSession()
	if err != nil {
		return err
	}
	*session = renewed
	return nil
}

// attributes reads attributes of an object. Its failure is an *opError.
func (t *token) attributes(session pkcs11.SessionHandle, h pkcs11.ObjectHandle, types ...uint) ([][]byte, error) {
	query := make([]*pkcs11.Attribute, len(types))
	for i, kind := range types {
		query[i] = pkcs11.NewAttribute(kind, nil)
	}
	have, err := t.ctx.GetAttributeValue(session, h, query)
	if err == nil && len(have) != len(types) {
		err = errors.New("the token told another number of attributes than it was asked for")
	}
	if err != nil {
		return nil, &opError{function: "C_GetAttributeValue", err: err}
	}
	values := make([][]byte, len(have))
	for i, a := range have {
		values[i] = a.Value
	}
	return values, nil
}

// giveUp finalises the library after a failed start.
func (t *token) giveUp() {
	if err := t.finalize(); err != nil {
		t.log.Warn("finalising the library after a failed start", "error", err)
	}
}

// logout and finalize are the orderly end of the library.
func (t *token) logout(session pkcs11.SessionHandle) error {
	call := &workerv1.Call{Function: "C_Logout", Session: uint64(session), UserName: t.userName, UserType: pkcs11.CKU_USER}
	if err := t.calls.call(call, func() error { return t.ctx.Logout(session) }); err != nil {
		return judge(t.profile.name, "C_Logout", err, "logging out")
	}
	return nil
}

// finalize ends the connection of the user who was to log in, if it came to that.
func (t *token) finalize() error {
	call := &workerv1.Call{Function: "C_Finalize", UserName: t.userName}
	if t.userName != "" {
		call.UserType = pkcs11.CKU_USER
	}
	if err := t.calls.call(call, t.ctx.Finalize); err != nil {
		return judge(t.profile.name, "C_Finalize", err, "finalising the library")
	}
	return nil
}
