package logpattern_test

import (
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/keystore/logpattern"
)

const login = "Opcode : CN_LOGIN (0xd)\nResponse : 163:HSM Error: RET_USER_LOGIN_FAILURE\nUser Name : kms\"user\\"

func TestMatch(t *testing.T) {
	for pattern, want := range map[string]bool{
		"":                                   true,
		"  ":                                 true,
		"CN_LOGIN":                           true,
		"cn_login":                           false,
		"LOGIN":                              true,
		"CN_LOGIN Error":                     true,
		"CN_LOGIN  Error":                    true,
		"CN_LOGIN SUCCESS":                   false,
		`"HSM Error"`:                        true,
		`"HSM  Error"`:                       false,
		`"HSM Error" CN_LOGIN`:               true,
		"CN_LOGIN -SUCCESS":                  true,
		"CN_LOGIN -Error":                    false,
		"-SUCCESS":                           true,
		`-"HSM Error"`:                       false,
		"?CN_LOGIN ?CN_LOGOUT":               true,
		"?CN_GENERATE_KEY ?CN_LOGOUT":        false,
		`?CN_LOGOUT ?"HSM Error"`:            true,
		`"(0xd)"`:                            true,
		`"163:HSM"`:                          true,
		`"kms\"user\\"`:                      true,
		`"50%" -CN_LOGIN`:                    false,
		`"Response : 163:HSM Error" "(0xd)"`: true,
	} {
		p, err := logpattern.Parse(pattern)
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
			continue
		}
		if got := p.Match(login); got != want {
			t.Errorf("%q matches: %t, want %t", pattern, got, want)
		}
	}
}

// What another filter would be is refused, and named.
func TestParseRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		`{ $.opcode = "CN_LOGIN" }`: "JSON",
		"[time, opcode, ...]":       "columns",
		"%CN_LOG(IN|OUT)%":          "regular expressions",
		"CN_LOGIN ?SUCCESS":         "?SUCCESS",
		"-CN_LOGIN ?SUCCESS":        "?SUCCESS",
		"HSM:Error":                 "':'",
		"(0xd)":                     "'('",
		"a -":                       "a term is missing",
		"? a":                       "a term is missing",
		`"HSM Error`:                "is not closed",
		`"HSM Error\"`:              "is not closed",
		`""`:                        "is empty",
		"a-b":                       "'-'",
	} {
		if _, err := logpattern.Parse(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", pattern, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", `?a ?"b c"`, `-"a\"" b`, `"\`, "{", "é ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := logpattern.Parse(text)
		if err == nil && !p.Match(login) && strings.TrimSpace(text) == "" {
			t.Errorf("%q does not match everything", text)
		}
	})
}
