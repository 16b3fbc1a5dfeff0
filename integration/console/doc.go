// Package console drives the web console of the built program in Debian's Chromium, as
// an operator does: it signs in by a link of the command line, changes something by
// another client, and looks at what the pages say of it. Five tests break a system and
// find the cause in the console; docs/operations.md tells the same with their pictures.
//
// It is a module of its own, because what drives a browser is large, and nobody but these
// tests has a use for it. `make screenshots` takes the pictures in docs/images anew.
package console
