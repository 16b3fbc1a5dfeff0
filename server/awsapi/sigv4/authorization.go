package sigv4

import (
	"net/http"
	"strings"
)

// authorization is an Authorization header.
type authorization struct {
	algorithm, credential, signature string
	// signedHeaders are names in lower case, separated by semicolons.
	signedHeaders string
}

// parseAuthorization parses the header of a request that has all that a signature
// needs.
func parseAuthorization(r *http.Request) (authorization, error) {
	header := r.Header.Get("Authorization")
	if !strings.HasPrefix(header, "AWS4-") {
		return authorization{}, errMissing
	}
	if strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=") {
		return authorization{}, errQueryToo
	}
	var auth authorization
	var has parameters
	for field := range strings.FieldsFuncSeq(header, separates) {
		if auth.algorithm == "" {
			auth.algorithm = field
			continue
		}
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return authorization{}, incomplete("Invalid key=value pair (missing equal-sign) in Authorization header " +
				"(hashed with SHA-256 and encoded with Base64): '" + hashed(header) + "'.")
		}
		auth.set(&has, name, value)
	}
	has.date = r.Header.Get("X-Amz-Date") != "" || r.Header.Get("Date") != ""
	return auth, has.check(header)
}

// separates says whether a character separates the parameters: AWS takes commas,
// spaces, or both.
func separates(c rune) bool { return c == ',' || c == ' ' || c == '\t' }

func (a *authorization) set(has *parameters, name, value string) {
	switch name {
	case "Credential":
		a.credential, has.credential = value, value != ""
	case "Signature":
		a.signature, has.signature = value, value != ""
	case "SignedHeaders":
		a.signedHeaders, has.signedHeaders = value, true
	}
}

// parameters are those that a request has of what each must have.
type parameters struct{ credential, signature, signedHeaders, date bool }

// check returns an error that names all that is missing.
func (p parameters) check(header string) error {
	if p.credential && p.signature && p.signedHeaders && p.date {
		return nil
	}
	var text strings.Builder
	for _, part := range []struct {
		has  bool
		text string
	}{
		{p.credential, "Authorization header requires 'Credential' parameter. "},
		{p.signature, "Authorization header requires 'Signature' parameter. "},
		{p.signedHeaders, "Authorization header requires 'SignedHeaders' parameter. "},
		{p.date, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "},
	} {
		if !part.has {
			text.WriteString(part.text)
		}
	}
	return incomplete(text.String() + "(Hashed with SHA-256 and encoded with Base64) Authorization=" + hashed(header))
}

// unsignable is the X-Amz- header that SDKs need not sign: like User-Agent, it
// says what the client is, and nothing is decided by it.
const unsignable = "X-Amz-User-Agent"

// maxSigned bounds the signed headers: SDKs sign about ten. Each header of a
// request is looked for among them before it is known who sent it.
const maxSigned = 100

// checkSignedHeaders checks that the headers are signed that have to be.
func (a authorization) checkSignedHeaders(h http.Header) error {
	if strings.Count(a.signedHeaders, ";") >= maxSigned {
		return errMismatch
	}
	if !a.signs("Host") {
		return errUnsignedHost
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-") && name != unsignable && !a.signs(name) {
			return invalid("'" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	return nil
}

// signs says whether a header is among the signed ones.
func (a authorization) signs(name string) bool {
	for signed := range strings.SplitSeq(a.signedHeaders, ";") {
		if isLower(signed, name) {
			return true
		}
	}
	return false
}

// isLower says whether lower is name in lower case. Names are ASCII.
func isLower(lower, name string) bool {
	if len(lower) != len(name) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
