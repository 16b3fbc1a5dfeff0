// Package powercut tests what is left of a server's files when the power fails.
//
// A real server with its HSM worker, on a SoftHSM token, runs under strace together
// with its clients, so that one trace has, in one order, every system call that
// changes or syncs a file and everything that the clients were answered. From the
// trace follows what a disk may have at any moment:
//
//   - a change that was followed by a sync, or made with O_DSYNC, is there as soon as
//     that call has returned;
//   - of all others any may be missing: a write sector by sector (of 512 or of 4,096
//     bytes), a file's length separately from its bytes, and each new, removed or
//     renamed name of a directory, until the directory is synced. A sector may also
//     have a value from in between. Where a file got its length and not its bytes there
//     may be anything;
//   - sectors are written whole or not at all, and so are changes of one name, renames
//     within a directory included. A rename from one directory to another is a change of
//     each: until they are synced the file may have both names, or none.
//
// That is as little as POSIX promises and less than any file system of today keeps;
// ext4 and XFS, for one, keep the order of names.
//
// A test chooses moments and losses by a seed, rebuilds the directories, starts a
// server on them and compares it with what the clients were told. history follows a
// trace; cut is a power cut, and writes what the disk has then; ledger is what clients
// were told.
//
// The model is checked too: at the end of a trace the files must be, byte for byte,
// what the trace says, and with any one kind of sync left out the test must fail.
// Writes through memory and calls that nobody uses so far are not modelled; the test
// fails when it meets them.
package powercut
