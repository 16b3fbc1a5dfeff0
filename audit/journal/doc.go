// Package journal is an append-only file format and its writer: records that
// are durable when Append returns, and that cannot be altered, dropped or
// moved without Verify seeing it.
//
// A journal is a directory of numbered segment files. A segment is filled with
// zeros and synced before it is used, off the path of the callers, so that a
// write with O_DSYNC changes no file metadata and costs one device write. Many
// callers share one write: whatever waits when the writer is free becomes one
// batch; if many are about to come, the writer waits for them a little. Batches
// begin on sector boundaries, so that a write never changes a sector that holds
// acknowledged records. Such a sector may be written again as part of its page,
// but with the bytes that it has.
//
// Every record carries the SHA-256 over the hash before it and its own bytes.
// A segment's header is a link of the same chain, so one hash, the head, stands
// for everything since the first record, across segments and restarts.
//
// Open never continues a file: it starts a new segment whose header says where
// the previous one ended. A full segment, a restart and a segment given up after
// a write error are therefore one case. Bytes after that end are no part of the
// journal, and are cut off.
//
// Trim removes whole segments from the beginning. The header of the oldest one left
// is the link to what is gone.
//
// The package knows a record's kind as a byte and its body as opaque bytes. The
// layout, byte by byte, is in docs/formats/journal.md.
package journal
