// Package faultp11 has a PKCS#11 library that passes every call on to SoftHSM,
// writes it down, and makes the faults that HSMs make and SoftHSM does not: calls
// that hang or fail, sessions and logins that are lost, tokens that are absent, PINs
// that are locked, IVs of the token's own, handles that name another key, processes
// that die. In one mode it is as choosy as the library of AWS CloudHSM.
//
// A [Library] is one control file. Every process that has its environment loads the
// same library file, and does what the control file says at its very next call; so
// two Libraries over one token are two HSMs that hold the same keys:
//
//	faults := faultp11.New(t, "/usr/lib/softhsm/libsofthsm2.so")
//	config.Library, config.Env = faults.Path(), append(config.Env, faults.Env()...)
//	...
//	err := faults.Set(faultp11.Fail("C_Encrypt", ckr.DeviceError).After(2).Times(1))
//
// # The control file
//
// It has a directive a line: a number of its own, a verb and options. Numbers are
// decimal or, with 0x, hexadecimal; # begins a comment.
//
//	NUMBER call FUNCTION [OPTION]...
//	    disturbs calls of a C_ function, of all (*), or of all that need the HSM's
//	    work (operations):
//	    rv=CODE      answer this instead of passing the call on
//	    ms=N         wait so long first
//	    hang         wait until the control file has no such NUMBER
//	    kill=SIGNAL  the process ends; 11 by touching memory that is not there
//	    late         all this after the call was passed on: it has its effect
//	    failures     late, and only of calls that fail
//	    mechanism=M  only of calls that are given this mechanism, or that go on with an
//	                 operation by it
//	    after=K      let K such calls pass
//	    times=N      disturb N calls, then no more
//	    share=P      disturb this share of calls, 0 to 1, chosen by seed=S
//	NUMBER sessions-invalid | idle ms=N | logged-out | absent | cached-slots
//	NUMBER slots [reverse] [extra=N] [shift=N]
//	NUMBER pin-limit limit=N | pin-flags flags=MASK | max-sessions limit=N [rv=CODE]
//	NUMBER iv mode=own|late|lose | reuse-handles | sync-lag ms=N
//	NUMBER alias | length | overlap | cloudhsm
//
// What the verbs do is said at the functions that make such a [Fault]. A line that is
// not understood ends the process, as does a log that cannot be written.
//
// # What it is not
//
// It is no HSM and no proof about one: keys are SoftHSM's, in files, and whoever can
// write the control file rules it. It imitates what libraries were reported to do and
// what AWS documents of CloudHSM, not their timing, their clustering or their bugs. It
// does not check its callers beyond that, is meant for 64-bit Unix, and is never a part
// of a build that is shipped.
package faultp11
