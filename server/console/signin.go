package console

import (
	"net/http"
	"time"

	"github.com/strongroom-kms/strongroom/server/authn"
)

// linkField is the parameter of a link, and the field of the form, that has the secret.
const linkField = "link"

// maxForm is how much of a form is read, in bytes.
const maxForm = 4 << 10

// signInPage is what the sign-in page says.
type signInPage struct {
	// Link and Principal are of a link that is still good; else they are empty.
	Link, Principal string
	// Spent says that a link was given that is not good, or no more; Gone that its principal
	// is not there any more; Full that there are too many sessions.
	Spent, Gone, Full bool
	// Stranger says that there is a verified certificate that is nobody's.
	Stranger bool
	// Unready says that requests cannot be answered.
	Unready bool
	// Ended says that somebody was signed in.
	Ended bool
}

// showSignIn shows what a link is for. It does not use the link: programs follow links
// that people only look at.
func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	secret := r.URL.Query().Get(linkField)
	if secret == "" {
		if _, ok := c.identify(r, true); ok {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		c.demandSignIn(w, r)
		return
	}
	link, ok := c.access.links.find(c.access.now(), secret, false)
	if !ok {
		c.renderSignIn(w, http.StatusGone, signInPage{Spent: true})
		return
	}
	c.renderSignIn(w, http.StatusOK, signInPage{Link: secret, Principal: link.principal})
}

// demandSignIn answers who is not signed in.
func (c *Console) demandSignIn(w http.ResponseWriter, r *http.Request) {
	_, err := r.Cookie(c.access.cookie())
	p := signInPage{Stranger: r.TLS != nil && len(r.TLS.VerifiedChains) > 0, Ended: err == nil}
	if p.Ended {
		http.SetCookie(w, c.newCookie("", -1))
	}
	c.renderSignIn(w, http.StatusUnauthorized, p)
}

// signIn uses a link up.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	now, from := c.access.now(), authn.Host(r.RemoteAddr)
	link, ok := c.access.links.take(now, r.PostFormValue(linkField))
	if !ok {
		c.log.Debug("a link to the console was not good, or no more", "source", from) // anybody can send what is none
		c.renderSignIn(w, http.StatusGone, signInPage{Spent: true})
		return
	}
	if !c.access.stands(link) {
		c.renderSignIn(w, http.StatusForbidden, signInPage{Gone: true})
		return
	}
	secret, ok := c.access.sessions.add(now, token{principal: link.principal, identity: link.identity, ends: now.Add(sessionLife), idle: sessionIdle})
	if !ok {
		c.renderSignIn(w, http.StatusServiceUnavailable, signInPage{Full: true})
		return
	}
	c.log.Info("signed in to the console", "principal", link.principal, "source", from)
	http.SetCookie(w, c.newCookie(secret, int(sessionLife/time.Second)))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signOut ends the session.
func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(c.access.cookie()); err == nil {
		if session, ok := c.access.sessions.take(c.access.now(), cookie.Value); ok {
			c.log.Info("signed out of the console", "principal", session.principal)
		}
	}
	http.SetCookie(w, c.newCookie("", -1))
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

func (c *Console) newCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: c.access.cookie(), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: c.access.secure(), SameSite: http.SameSiteStrictMode,
	}
}
