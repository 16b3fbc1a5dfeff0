// Package audit tampers with the audit of a real server, and demands that it be found:
// by `strongroom audit verify`, and by verify.py, which is written from the documents
// alone and shares no code with it.
//
// Each tampering is done to a copy of the same data directory, and names the record or
// the file that both verifiers have to name.
package audit
