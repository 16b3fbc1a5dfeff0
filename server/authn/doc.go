// Package authn finds out who makes a request, from the client certificate of
// its connection, and puts that into the request's context as a
// keystore.Caller.
//
// The certificate is read once, when the connection is made: its URI names and
// then its DNS names are looked up, by exact match, in the principals that the
// operator has named. A certificate that names none of them is still a caller,
// only one without a principal: the keystore refuses it and records that.
// Nothing is decided here.
package authn
