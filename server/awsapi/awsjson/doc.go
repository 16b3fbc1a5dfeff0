// Package awsjson reads and writes the values of the AWS JSON 1.1 protocol as
// protobuf messages, by the plans that package describe compiles once for each
// message type. It has no table of operations or members of its own, and knows
// nothing of HTTP.
//
// # Values
//
// Members stand under their names in AWS's model. Blobs are base64 with padding,
// timestamps seconds since 1970 to the millisecond, enums their spellings. A
// member that is absent or null is an absent field.
//
// # What is refused
//
// As Smithy's tests of the protocol have it for a server: a value of another JSON
// type than the member's, a number that does not fit or has a fraction where an
// integer belongs, null inside a list or map, malformed base64 and JSON that is
// not well-formed. Members that the model does not have are ignored. JSON that
// can be read in two ways, a member given twice or a string that is not Unicode,
// is refused too: what an encryption context says must not depend on the parser.
//
// An enum's spelling that the model does not have is no such error: it goes on
// to the validation, which AWS answers with all else that is wrong.
//
// # Secrets
//
// Decode keeps nothing of the text that it reads; whoever has the text wipes it.
// Append wipes whatever it outgrows, so that only what it returns has to be wiped.
// Errors never show a value.
package awsjson
