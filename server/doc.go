// Package server serves Strongroom over gRPC: TLS, who is calling, health,
// reflection, deadlines, limits, and the translation of errors. It decides
// nothing about keys: that is the keystore's, which it reaches only through
// the generated service interfaces in Config.
//
// A request passes, from the outside in: the caller's identity (authn), its
// request id in the answer's header, the request log, errors into statuses,
// the refusal of connections without a client certificate, the deadline, and
// the recovery of panics. Requests that never reach an operation (an unknown
// method, a message that cannot be decoded, a panic) are given to
// Config.Reject, so that they leave an event too. Two kinds leave none: what
// gRPC itself refuses before there is a request (far more than
// MaxRequestBytes, too many streams), and requests without a client certificate, because
// anybody on the network could fill the journal with them.
package server
