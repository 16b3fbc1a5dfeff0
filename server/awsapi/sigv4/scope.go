package sigv4

import "strings"

// terminator ends the scope of a credential.
const terminator = "aws4_request"

// scope is the Credential parameter: an access key and what it signs for.
type scope struct {
	accessKey, date, region, service, terminator string
	// text is all but the access key, as the string to sign has it.
	text string
}

// scope parses and checks the credential of a request to a service, signed at a time.
func (v *Verifier) scope(a authorization, at, service string) (scope, error) {
	if a.algorithm != Algorithm {
		return scope{}, incomplete("Unsupported AWS 'algorithm': '" + a.algorithm + "' (only " + Algorithm + " for now). ")
	}
	s, ok := parseScope(a.credential)
	if !ok {
		return scope{}, incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, " +
			"got (hashed with SHA-256 and encoded with Base64): '" + hashed(a.credential) + "'")
	}
	return s, v.check(s, at, service)
}

func parseScope(credential string) (s scope, ok bool) {
	if strings.Count(credential, "/") != 4 {
		return scope{}, false
	}
	s.accessKey, s.text, _ = strings.Cut(credential, "/")
	rest := s.text
	s.date, rest, _ = strings.Cut(rest, "/")
	s.region, rest, _ = strings.Cut(rest, "/")
	s.service, s.terminator, _ = strings.Cut(rest, "/")
	return s, true
}

// check returns an error that names all that is wrong with a scope.
func (v *Verifier) check(s scope, at, service string) error {
	var text string
	if !v.config.Region(s.region) {
		text += "Credential should be scoped to a valid region, not '" + s.region + "'. "
	}
	if s.service != service {
		text += "Credential should be scoped to correct service: '" + service + "'. "
	}
	if s.terminator != terminator {
		text += "Credential should be scoped with a valid terminator: '" + terminator + "', not '" + s.terminator + "'. "
	}
	if date := at[:8]; s.date != date {
		text += "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			s.date + "' != '" + date + "', from '" + at + "'."
	}
	if text != "" {
		return invalid(text)
	}
	return nil
}
