// Package strongroomtest gives a test a Strongroom server of its own: the real
// server, on a throwaway SoftHSM token, with a real HSM worker process, both
// audit trails and TLS on a loopback port, in about a quarter of a second.
//
//	func TestBilling(t *testing.T) {
//		server := strongroomtest.Start(t)
//		key := server.NewKey()
//		bill(t.Context(), server.Client("app"), key)
//		for _, e := range server.Events() {
//
// The end of the test stops the server and removes all of it. Tests may be
// parallel, each with a server, or share one: that of a parent test, or one of
// TestMain's, by StartMain. Nothing needs to be done in TestMain for the worker
// process. SoftHSM has to be installed (Debian: apt-get install softhsm2), and the
// test built with cgo; without, Start fails the test with words.
//
// A server has no HSM cluster for custom key stores unless WithCluster gives it some.
//
// Methods that fail end the test that started the server, so they have to be
// called by its goroutine. Subtests that share the server, parallel ones above
// all, call them on server.For(t), which ends the test that t is of.
//
// The package is for tests only: the PIN and all private keys lie in the test's
// directory. Programs in other languages have `strongroom dev --ephemeral`; see
// docs/testing.md.
//
// The package follows semantic versioning, as package client does.
package strongroomtest
