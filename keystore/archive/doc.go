// Package archive is the format of a backup: the key metadata and the audit
// journal as they were together at one moment. It holds no key material.
//
// A backup is a stream of checksummed sections: a header, the metadata entries,
// the journal's segments, and a trailer with totals and a hash over everything, so
// that a backup that was cut short or altered by accident is recognised. Writer
// and Reader hold no more than one section in memory. Whoever can write a backup
// can forge one: it has no signature, and is to be kept as the journal is.
//
// The package knows the sections and neither what a metadata value means nor what
// is in a segment. The layout, byte by byte, is in docs/formats/backup.md.
package archive
