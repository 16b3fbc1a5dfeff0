// Package ship sends the audit trails to those who take them: a Runner sends the
// journal's records through a Sender, such as otlp's; package s3 sends the files that
// audit/export writes.
//
// A sink takes everything at least once and in order. How far it has come stands in
// a Cursor, a small file that is written after the sink has acknowledged; so a kill
// leads to repetition and never to a gap. The journal is the buffer: a sink that is
// away or slow holds up nobody, takes no memory, and goes on where it was.
//
// docs/shipping.md describes it to operators.
package ship
