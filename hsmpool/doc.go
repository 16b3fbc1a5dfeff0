// Package hsmpool gives out what a hardware security module does: keys that are made
// in it, or unwrapped into it, and never leave it, their use (sealing, signing, MACs,
// decrypting, agreeing on secrets), key pairs that are made in it to be handed out, and
// random bytes. It knows no words of key management; that is package keystore.
//
// # Members
//
// A Pool has one or more members: HSMs that hold the same keys. A request goes to the one
// that has least to do of those that take requests. Each has so many places for requests;
// when all are taken requests wait, within their deadlines, those of different keys by
// turns, so that a key that everybody asks for holds up nobody else. Beyond a bound they are
// refused at once. A member that says that it is busy is given fewer places for a while.
//
// A request that met a fault is made once more, of another member if one serves, if
// asking twice does no harm: what uses keys, and pairs that are handed out. Making and
// importing a key is never repeated; what a failure of it may have left is
// looked for and destroyed. A member that keeps failing is suspended: nothing but a
// probe is asked of it. One whose worker has not answered for a part of HangTimeout is
// avoided, and its callers ask another.
//
// An HSM can be withdrawn from service by who knows something of it that requests do not
// show, and is restored by him.
//
// A new key is answered when enough members know it, and a destroyed one when no member
// has its handle any more.
//
// # Workers
//
// The PKCS#11 library never runs in this process. Each member starts a worker process
// (package hsmpool/worker, the same binary), hands it requests in batched frames
// over a socket pair (package hsmpool/wire), and replaces it when it dies, hangs
// or says that its library has lost its state. A new worker is the recovery: a
// fresh library, a fresh login, fresh handles; no handle outlives its worker. Starts that
// fail are tried again, after pauses that grow, and soon when somebody asks; not
// those that failed at a PIN, which an operator has to see to.
//
// Each caller is answered exactly once. A request is in the table of its worker
// from before it is sent; whoever takes it out of the table answers it: the reader,
// with the reply, or the end of the worker, with its loss. Nobody waits past the deadline
// of his context.
//
// # Figures
//
// A worker counts what goes through the C_ boundary and reports it once a second or more
// often. Describe and Health tell what was reported, and ask no HSM.
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
// A Pool owns a supervisor for each member, which owns the worker of the moment (its
// process, its reader and its writer). Close stops and waits for all of them.
package hsmpool
