// Package clients runs the clients of AWS KMS, as their authors publish them,
// against the built program. The examples in its directories are those of
// docs/clients.md: a test compares the two.
//
// It is a module of its own, so that nothing of what the clients are made of
// gets into Strongroom's. `make clients` gets the ones that are not written in
// Go, pinned, into .tools.
package clients
