// Package authn finds out who makes a request, from the client certificate of
// its connection, and puts that into the request's context as a
// keystore.Caller.
//
// The certificate is read once, when the connection is made. Its URI and DNS names
// are looked up for each request, so that a principal that is made or deleted is so
// on open connections too. A certificate that names none is still a caller, only
// one without a principal: the keystore refuses it and records that.
// Nothing is decided here.
package authn
