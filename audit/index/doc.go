// Package index finds records of the audit trails by what stands in them. An
// index is of one segment of the journal: for each record where it is, what it
// is and when it was, and for each term the records that have it.
//
// A Builder takes in the records of a segment as they come and can be searched
// meanwhile; Write makes a file of it, which Open reads. Terms are kept as 64 bit
// hashes, so that two may look like one: what an index answers are candidates, and
// the records decide. An index is never the only home of anything: one that is lost or
// damaged is made again from its segment.
//
// The file's layout, byte by byte, is in docs/formats/audit-index.md.
package index
