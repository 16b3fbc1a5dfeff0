// Package integration tests the built program as its users see it: processes
// that are killed, tokens that fail, clients on real sockets, the command line.
//
// Its tests stand beside the "done when" lists of the issues: each claim made
// there is tried here. They need SoftHSM, a C compiler and pkcs11-tool, which
// `make test` installs. With -short the heaviest parts are smaller or skipped;
// STRONGROOM_KILLS makes the crash test longer.
//
// Package harness runs the processes; faultp11 is a PKCS#11 library that writes
// down what it is asked and makes the faults of HSMs; bench is the benchmark.
package integration
