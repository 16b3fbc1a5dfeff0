// Package hsmpool gives out what a hardware security module does: keys that are made
// in it, or unwrapped into it, and never leave it, their use (sealing, signing, MACs,
// decrypting, agreeing on secrets), key pairs that are made in it to be handed out, and
// random bytes. It knows no words of key management; that is package keystore.
//
// # Workers
//
// The PKCS#11 library never runs in this process. A Pool starts a worker process
// (package hsmpool/worker, the same binary), hands it requests in batched frames
// over a socket pair (package hsmpool/wire), and replaces it when it dies, hangs
// or says that its library has lost its state. A new worker is the recovery: a
// fresh library, a fresh login, fresh handles; no handle outlives its worker.
//
// Each caller is answered exactly once. A request is in the table of its worker
// from before it is sent; whoever takes it out of the table answers it: the reader,
// with the reply, or the end of the worker, with its loss. After a loss, what uses keys,
// and pairs that are handed out, are asked once more of the next worker; making,
// importing and destroying a key never are. Nobody waits past the deadline of his context.
//
// # Records
//
// The worker announces every management call of the library before it is made and
// when it has returned. The pool hands them to the Auditor in that order, and a
// reply that belongs to such a call is passed on only once its entry is durable. A
// call announced and not ended when the worker is lost is recorded as one without a
// reply. While an entry is not durable no management request is sent at all, and no
// worker is told to start or to stop.
//
// # Ownership
//
// A Pool owns one supervisor, which owns the worker of the moment (its process, its
// reader and its writer). Close stops and waits for all of them.
package hsmpool
