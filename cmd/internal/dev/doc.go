// Package dev is `strongroom dev`: a development server (package devserver) for
// a person at a terminal, who is told what to do next, or for the tests of a
// program, which is told in JSON. In the data directory it adds
//
//	env                 a file for a shell to source
package dev
