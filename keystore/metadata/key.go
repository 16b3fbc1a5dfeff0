package metadata

import (
	"fmt"
	"strings"
)

// MaxKeySize is the longest key, in bytes.
const MaxKeySize = 1024

const (
	accountDigits = 12
	maxRegionSize = 32
)

// CheckKey returns [ErrInvalid] unless key is "<account>/<region>/<name>": an
// account of 12 digits, a Region of 1 to 32 lower-case letters, digits and hyphens,
// and a name of at least one printable ASCII character, none of them a space; at
// most [MaxKeySize] bytes in all.
func CheckKey(key string) error {
	name, err := checkScope(key)
	if err == nil && name == "" {
		err = fmt.Errorf("nothing follows the Region")
	}
	if err != nil {
		return fmt.Errorf("%w: key %.64q: %w", ErrInvalid, key, err)
	}
	return nil
}

// CheckPrefix returns [ErrInvalid] unless prefix could begin a key and goes to the
// slash after the account, or at least to that after the Region, so that nothing
// reads across accounts or Regions by accident.
func CheckPrefix(prefix string) error {
	if account, rest, found := strings.Cut(prefix, "/"); found && rest == "" && isAccount(account) {
		return nil
	}
	if _, err := checkScope(prefix); err != nil {
		return fmt.Errorf("%w: prefix %.64q: %w", ErrInvalid, prefix, err)
	}
	return nil
}

// checkScope returns what follows "<account>/<region>/".
func checkScope(key string) (name string, err error) {
	if len(key) > MaxKeySize {
		return "", fmt.Errorf("%d bytes long, more than %d", len(key), MaxKeySize)
	}
	account, rest, _ := strings.Cut(key, "/")
	region, name, found := strings.Cut(rest, "/")
	switch {
	case !isAccount(account):
		return "", fmt.Errorf("does not begin with an account of %d digits", accountDigits)
	case !found || region == "" || len(region) > maxRegionSize || !consistsOf(region, isRegion):
		return "", fmt.Errorf("has no Region after the account")
	case !consistsOf(name, isPrintable):
		return "", fmt.Errorf("has a character that is not printable ASCII")
	}
	return name, nil
}

func isAccount(s string) bool { return len(s) == accountDigits && consistsOf(s, isDigit) }

func consistsOf(s string, class func(byte) bool) bool {
	for i := range len(s) {
		if !class(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool     { return '0' <= c && c <= '9' }
func isRegion(c byte) bool    { return 'a' <= c && c <= 'z' || isDigit(c) || c == '-' }
func isPrintable(c byte) bool { return '!' <= c && c <= '~' }
