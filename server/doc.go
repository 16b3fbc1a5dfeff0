// Package server serves Strongroom over gRPC: TLS, who is calling, health,
// reflection, deadlines, limits, and the translation of errors. It decides
// nothing about keys: that is the keystore's, which it reaches only through
// the generated service interfaces in Config.
//
// A request passes, from the outside in: its deadline, admission, the choice of
// the Region that its header names, the caller's identity (authn), its request
// id in the answer's header, the request log, errors into statuses, and the
// recovery of panics. Requests that never reach an operation (refused by
// admission, for a Region that there is not, an unknown method, a message that cannot
// be decoded, a panic) are given to Config.Reject, so that they leave an event
// too.
//
// # Overload
//
// Nothing waits in a queue. A request finds one of MaxInFlight places as soon
// as its headers are there, or it is refused: at once, before its message is
// read, with ThrottlingException and a time after which to try again. The
// refusal is recorded as every answer is. That costs something too, so there
// are places for refusals, 2,048; beyond these a request is refused without a
// record and only counted, in a line of the log every ten seconds. A quarter of
// the places is out of reach of any single principal, so that one cannot starve
// the others, and a connection has at most MaxStreams requests. Streams of the
// operator service, which last for hours, and health and reflection have places
// of their own. So the memory and the goroutines of a server are bounded by its
// configuration, whatever its clients do.
//
// Admission is in the handlers and not in gRPC's tap, which is called a little
// earlier: gRPC keeps the context of a request that the tap refuses until the
// deadline that the client has chosen, which can be years.
//
// # Slow and dead clients
//
// A request's deadline begins with its headers and ends the wait for its message
// too. The window of HTTP/2 does not grow, so a message that nobody reads yet
// takes 64 KiB at most. A connection is closed that does not get through its
// handshake in 15 seconds, or takes nothing of what it is sent for as long, or
// answers no ping; a stream is ended whose client has stopped taking it.
//
// # What leaves no event
//
// An answer with a request id (the header x-amzn-requestid) has an event. There
// is neither for requests without a client certificate, because anybody on the
// network could fill the journal with them; for health and reflection; for
// refusals beyond those 2,048; and for what gRPC answers by itself, because it
// never was a whole request: a message far over MaxRequestBytes or not there by
// the deadline, too many streams. Only the stream whose message does not come
// has been answered its headers by then, with an id.
//
// # Drain
//
// When Serve's context ends, health says NOT_SERVING, the listener is closed,
// streams end with UNAVAILABLE, and every request that has come in is answered,
// for at most DrainTimeout. Clients are told to send no more; what crosses with
// that is answered too, or was not looked at.
package server
