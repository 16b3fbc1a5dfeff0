// Package export hands the audit trails on: it follows the journal and writes
// CloudTrail's log files, HSM audit logs as text, and signed digests into a
// directory (package cloudtrail has the formats).
//
// It goes its own pace, from a durable cursor, and no request ever waits for it. If
// the directory cannot be written, or the key that signs is away, it tries again;
// the journal keeps what was not exported.
//
// Every step is decided in one durable write, of the state file: where the cursor
// is, which files get their names next, which digests are to be written. What it
// says is carried out afterwards, and once more after a crash. So no record is left
// out or exported twice, and a file that has its name never changes.
package export
