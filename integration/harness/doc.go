// Package harness runs the built strongroom program for the integration tests
// and the benchmark: real processes, real SoftHSM tokens, real sockets.
//
// A Site is all that a server needs in a directory of its own: certificates, a
// token, a configuration. Starting it gives a Server, which can be stopped,
// killed and started again on the same data. Nothing in here waits for a fixed
// time; it waits for events (a log line, an exit, an answer) until a context
// ends.
package harness
