package sigv4

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// Error is why a request is refused, for its sender.
type Error struct {
	// Kind is the kind of error, which has AWS's name of it.
	Kind annotationsv1.ErrorKind
	// Message is AWS's text. It has no secret in it.
	Message string
}

// Error is part of error.
func (e *Error) Error() string { return describe.ErrorOf(e.Kind).Name + ": " + e.Message }

var (
	errMissing      = &Error{annotationsv1.ErrorKind_ERROR_KIND_MISSING_AUTHENTICATION_TOKEN, "Missing Authentication Token"}
	errUnknownKey   = &Error{annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT, "The security token included in the request is invalid."}
	errWrongToken   = &Error{annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT, "The security token included in the request is invalid"}
	errExpiredToken = &Error{annotationsv1.ErrorKind_ERROR_KIND_EXPIRED_TOKEN, "The security token included in the request is expired"}
	errQueryToo     = invalid("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
	errUnsignedHost = invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	errMismatch     = invalid("The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
)

func invalid(message string) *Error {
	return &Error{annotationsv1.ErrorKind_ERROR_KIND_INVALID_SIGNATURE, message}
}

func incomplete(message string) *Error {
	return &Error{annotationsv1.ErrorKind_ERROR_KIND_INCOMPLETE_SIGNATURE, message}
}

// hashed stands for a text that may have a secret in it by mistake.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}
