// Package worker is the child process that has a PKCS#11 library loaded; nothing
// else in Strongroom touches one. The server starts it as "strongroom hsm-worker"
// with a socket as file descriptor 3, on which the frames of package hsmpool/wire
// come and go. It ends when that socket does.
//
// # Which call goes which way
//
// Three ways lead to the library, all into the same process-wide state.
//
//   - crypto11 opens the module (C_Initialize), selects the token, keeps a session
//     open so that login and handles last, and serves random bytes. It does not log
//     in, and it is never closed: its Close waits for every session, so it would
//     wait for ever on one that hangs.
//   - miekg/pkcs11, as a second context on the module that crypto11 initialised,
//     does what needs handles and return codes: token flags, login and logout,
//     finding, generating, wrapping, unwrapping, deriving, reading attributes, destroying,
//     C_Finalize.
//   - C code of our own (library.c) uses keys: one crossing from Go to C for each use,
//     sealing with its IV included. crypto11's AEAD panics on a device error and
//     loses an IV that the HSM chose; miekg's C_Decrypt leaks its output buffer each
//     time it fails.
//
// # Sessions
//
// A session has one goroutine: an executor for each session that uses keys, a maker for
// each that makes pairs which are handed out, and the manager, which makes, imports
// and destroys keys one at a time. Every management call is announced to the server before it is made
// and when it has returned, see announcer.
//
// # Figures
//
// Calls of the library by all three ways are counted, but for what crypto11 calls on its own
// account, and reported with the worker's progress; counts says what is counted.
package worker
