package console

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTokensAreBounded(t *testing.T) {
	now := time.Now()
	made := func(principal string) token { return token{principal: principal, ends: now.Add(time.Minute)} }
	all := tokens{limit: 3, share: 2}
	first, _ := all.add(now, made("alice"))
	second, _ := all.add(now, made("alice"))
	third, ok := all.add(now, made("alice"))
	if !ok {
		t.Fatal("a principal's third token is refused")
	}
	for secret, want := range map[string]bool{first: false, second: true, third: true} {
		if _, got := all.find(now, secret, false); got != want {
			t.Errorf("a token is there: %t, want %t", got, want)
		}
	}
	if _, ok := all.add(now, made("bob")); !ok {
		t.Error("the third of three is refused")
	}
	if _, ok := all.add(now, made("carol")); ok {
		t.Error("there are four of three")
	}
	if _, ok := all.add(now.Add(time.Minute), made("carol")); !ok {
		t.Error("tokens that are over take places")
	}
	if len(all.all) != 1 {
		t.Errorf("%d tokens are kept, want that of carol", len(all.all))
	}
}

// What is kept of a token is not what it is found by.
func TestTokensAreKeptAsHashes(t *testing.T) {
	all := tokens{limit: 1, share: 1}
	secret, _ := all.add(time.Now(), token{principal: "alice", ends: time.Now().Add(time.Hour)})
	if len(secret) < 26 { // of 5 bits each
		t.Errorf("%q has %d characters", secret, len(secret))
	}
	if kept := fmt.Sprintf("%s %+v", all.all[0].hash, all.all); strings.Contains(kept, secret) {
		t.Errorf("%q is kept: %s", secret, kept)
	}
}

func TestAddresses(t *testing.T) {
	for base, ok := range map[string]bool{
		"http://127.0.0.1:7402": true, "https://kms.example": true, "https://kms.example/": true,
		"": false, "kms.example:7402": false, "ftp://kms.example": false, "https://kms.example/console": false, "https://": false, "http://%zz": false,
	} {
		if _, err := NewAccess(base, func(string) string { return "" }); (err == nil) != ok {
			t.Errorf("%q: %v, want it good: %t", base, err, ok)
		}
	}
}

// A name that is not the console's may have been made to mean its address.
func TestHosts(t *testing.T) {
	for _, test := range []struct {
		base, host string
		ours       bool
	}{
		{"http://127.0.0.1:7402", "127.0.0.1:7402", true},
		{"http://127.0.0.1:7402", "localhost:9000", true}, // a forwarded port
		{"http://127.0.0.1:7402", "[::1]:7402", true},
		{"http://127.0.0.1:7402", "[::1]", true},
		{"http://127.0.0.1:7402", "localhost.evil.example", false},
		{"http://127.0.0.1:7402", "127.0.0.1.evil.example:7402", false},
		{"http://127.0.0.1:7402", "192.0.2.1:7402", false},
		{"http://127.0.0.1:7402", "", false},
		{"https://kms.example", "kms.example", true},
		{"https://kms.example:7402", "kms.example", true},
		{"https://kms.example:7402", "KMS.example:7402", true},
		{"https://kms.example:7402", "localhost:7402", false},
		{"https://kms.example:7402", "evil.example:7402", false},
	} {
		a, err := NewAccess(test.base, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		if got := a.isOurs(test.host); got != test.ours {
			t.Errorf("%s asked as %q: %t, want %t", test.base, test.host, got, test.ours)
		}
	}
}
