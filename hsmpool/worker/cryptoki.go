//go:build cgo

package worker

import (
	"slices"
	"time"

	"github.com/miekg/pkcs11"
)

// cryptoki is the part of miekg/pkcs11 that the worker uses, each call of it counted. What
// uses keys goes another way, see library.
type cryptoki struct {
	ctx    *pkcs11.Ctx
	counts *counts
}

// call makes a call and counts it.
func (c *cryptoki) call(function string, by []*pkcs11.Mechanism, do func() error) error {
	began := time.Now()
	err := do()
	c.counts.call(callSort{function, nameOfMechanism(by), rvOf(err)}, time.Since(began))
	return err
}

// size is how many bytes the values of attributes have.
func size(templates ...[]*pkcs11.Attribute) (n int) {
	for _, t := range templates {
		for _, a := range t {
			n += len(a.Value)
		}
	}
	return n
}

// ofSession tells whether a template makes an object of the session.
func ofSession(template []*pkcs11.Attribute) bool {
	return !slices.ContainsFunc(template, func(a *pkcs11.Attribute) bool {
		return a.Type == pkcs11.CKA_TOKEN && slices.ContainsFunc(a.Value, func(b byte) bool { return b != 0 })
	})
}

// made counts what making a key took, and the key if it lives as long as its session.
func (c *cryptoki) made(session pkcs11.SessionHandle, template []*pkcs11.Attribute, err error, handles ...pkcs11.ObjectHandle) {
	if err == nil && ofSession(template) {
		c.counts.keys.made(session, handles...)
	}
}

// Initialize is C_Initialize.
func (c *cryptoki) Initialize() error {
	return c.call("C_Initialize", nil, func() error { return c.ctx.Initialize() })
}

// Finalize is C_Finalize.
func (c *cryptoki) Finalize() error { return c.call("C_Finalize", nil, c.ctx.Finalize) }

// GetInfo is C_GetInfo.
func (c *cryptoki) GetInfo() (info pkcs11.Info, err error) {
	err = c.call("C_GetInfo", nil, func() error { info, err = c.ctx.GetInfo(); return err })
	return info, err
}

// GetSlotList is C_GetSlotList.
func (c *cryptoki) GetSlotList(withToken bool) (slots []uint, err error) {
	err = c.call("C_GetSlotList", nil, func() error { slots, err = c.ctx.GetSlotList(withToken); return err })
	return slots, err
}

// GetTokenInfo is C_GetTokenInfo.
func (c *cryptoki) GetTokenInfo(slot uint) (info pkcs11.TokenInfo, err error) {
	err = c.call("C_GetTokenInfo", nil, func() error { info, err = c.ctx.GetTokenInfo(slot); return err })
	return info, err
}

// GetMechanismList is C_GetMechanismList.
func (c *cryptoki) GetMechanismList(slot uint) (list []*pkcs11.Mechanism, err error) {
	err = c.call("C_GetMechanismList", nil, func() error { list, err = c.ctx.GetMechanismList(slot); return err })
	return list, err
}

// GetMechanismInfo is C_GetMechanismInfo.
func (c *cryptoki) GetMechanismInfo(slot uint, m []*pkcs11.Mechanism) (info pkcs11.MechanismInfo, err error) {
	err = c.call("C_GetMechanismInfo", nil, func() error { info, err = c.ctx.GetMechanismInfo(slot, m); return err })
	return info, err
}

// OpenSession is C_OpenSession.
func (c *cryptoki) OpenSession(slot, flags uint) (session pkcs11.SessionHandle, err error) {
	err = c.call("C_OpenSession", nil, func() error { session, err = c.ctx.OpenSession(slot, flags); return err })
	return session, err
}

// CloseSession is C_CloseSession.
func (c *cryptoki) CloseSession(session pkcs11.SessionHandle) error {
	c.counts.keys.closed(session) // if it fails there was no such session any more
	return c.call("C_CloseSession", nil, func() error { return c.ctx.CloseSession(session) })
}

// GetSessionInfo is C_GetSessionInfo.
func (c *cryptoki) GetSessionInfo(session pkcs11.SessionHandle) (info pkcs11.SessionInfo, err error) {
	err = c.call("C_GetSessionInfo", nil, func() error { info, err = c.ctx.GetSessionInfo(session); return err })
	return info, err
}

// Login is C_Login.
func (c *cryptoki) Login(session pkcs11.SessionHandle, user uint, pin string) error {
	return c.call("C_Login", nil, func() error { return c.ctx.Login(session, user, pin) })
}

// Logout is C_Logout.
func (c *cryptoki) Logout(session pkcs11.SessionHandle) error {
	return c.call("C_Logout", nil, func() error { return c.ctx.Logout(session) })
}

// GenerateRandom is C_GenerateRandom.
func (c *cryptoki) GenerateRandom(session pkcs11.SessionHandle, n int) (random []byte, err error) {
	err = c.call("C_GenerateRandom", nil, func() error { random, err = c.ctx.GenerateRandom(session, n); return err })
	c.counts.octets(0, len(random))
	return random, err
}

// FindObjectsInit is C_FindObjectsInit.
func (c *cryptoki) FindObjectsInit(session pkcs11.SessionHandle, template []*pkcs11.Attribute) error {
	c.counts.octets(size(template), 0)
	return c.call("C_FindObjectsInit", nil, func() error { return c.ctx.FindObjectsInit(session, template) })
}

// FindObjects is C_FindObjects.
func (c *cryptoki) FindObjects(session pkcs11.SessionHandle, most int) (found []pkcs11.ObjectHandle, more bool, err error) {
	err = c.call("C_FindObjects", nil, func() error { found, more, err = c.ctx.FindObjects(session, most); return err })
	return found, more, err
}

// FindObjectsFinal is C_FindObjectsFinal.
func (c *cryptoki) FindObjectsFinal(session pkcs11.SessionHandle) error {
	return c.call("C_FindObjectsFinal", nil, func() error { return c.ctx.FindObjectsFinal(session) })
}

// GetAttributeValue is C_GetAttributeValue.
func (c *cryptoki) GetAttributeValue(session pkcs11.SessionHandle, h pkcs11.ObjectHandle, query []*pkcs11.Attribute) (values []*pkcs11.Attribute, err error) {
	err = c.call("C_GetAttributeValue", nil, func() error { values, err = c.ctx.GetAttributeValue(session, h, query); return err })
	c.counts.octets(0, size(values))
	return values, err
}
