// Package awscbor reads and writes the values of the Smithy RPC v2 CBOR protocol as
// protobuf messages, by the plans that package describe compiles once for each message
// type, as package awsjson does for JSON. It has no table of operations or members of its
// own, and knows nothing of HTTP.
//
// # Values
//
// Structures and maps are CBOR maps with text keys: members stand under their names in
// AWS's model. Blobs are byte strings, enums their spellings as text, timestamps tag 1 with
// seconds since 1970, to the millisecond. A member that is absent, null or undefined is an
// absent field. Lengths may be indefinite; Append writes definite ones only.
//
// # What is refused
//
// A value of another type than the member's, an integer that does not fit, null inside a
// list or map, another tag, and CBOR that is not well-formed, is nested deeper than any
// request is, or goes on behind its end. What can be read in two ways, a member given twice
// or text that is not UTF-8, is refused too. Members that the model does not have are
// ignored. An enum's spelling that the model does not have goes on to the validation.
//
// # Secrets
//
// Decode hands octets that it has read to the message, and wipes those that no member has.
// Append wipes whatever it outgrows, so that only what it returns has to be wiped: it writes
// the few forms of CBOR that there are by itself, since encoders keep buffers of their own.
// Errors never show a value.
//
// Sources: the Smithy specification, "Smithy RPC v2 CBOR protocol"; RFC 8949.
package awscbor
