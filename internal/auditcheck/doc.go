// Package auditcheck checks the audit of a data directory, or of a copy of it, without a
// server: the journal, the signed digests with their log files, and one against the other.
//
// It puts together what audit.Verify and cloudtrail.Check find, each of which can be
// checked alone. Digests are points of the journal that were signed; so a journal that was
// rewritten together with its hash chain differs from them.
package auditcheck
