package cli

import (
	"errors"
	"fmt"
	"strings"
)

// aliasPrefix begins every alias name.
const aliasPrefix = "alias/"

// keyName is a flag or argument that names a key in any way.
type keyName string

// UnmarshalText is part of encoding.TextUnmarshaler.
func (k *keyName) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("is empty: it needs the id, the ARN or an alias of a key")
	}
	*k = keyName(text)
	return nil
}

// id returns the field of a request.
func (k keyName) id() *string { return new(string(k)) }

// keyID is a flag or argument that names a key in a way that cannot come to
// mean another key. As with AWS, what manages keys takes no alias.
type keyID string

// UnmarshalText is part of encoding.TextUnmarshaler.
func (k *keyID) UnmarshalText(text []byte) error {
	switch name := string(text); {
	case name == "":
		return errors.New("is empty: it needs the id or the ARN of a key")
	case strings.HasPrefix(name, aliasPrefix) || strings.Contains(name, ":"+aliasPrefix):
		return fmt.Errorf("%q is an alias, which may come to name another key: it needs the id or the ARN, which `strongroom key describe` shows", name)
	}
	*k = keyID(text)
	return nil
}

// id returns the field of a request.
func (k keyID) id() *string { return new(string(k)) }

// aliasName is an argument that is the name of an alias.
type aliasName string

// UnmarshalText is part of encoding.TextUnmarshaler.
func (a *aliasName) UnmarshalText(text []byte) error {
	if !strings.HasPrefix(string(text), aliasPrefix) {
		return fmt.Errorf("%q does not begin with %s, as the name of an alias does, such as alias/payroll", text, aliasPrefix)
	}
	*a = aliasName(text)
	return nil
}

// name returns the field of a request.
func (a aliasName) name() *string { return new(string(a)) }
