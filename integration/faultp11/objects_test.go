package faultp11_test

import (
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// A generation that fails after the fact leaves its key.
func TestKeptObject(t *testing.T) {
	token := newToken(t)
	session := token.user()
	for _, test := range []struct {
		name  string
		fault faultp11.Fault
		want  int
	}{
		{"before", faultp11.Fail("C_GenerateKey", ckr.AttributeValueInvalid), 0},
		{"after", faultp11.Fail("C_GenerateKey", ckr.AttributeValueInvalid).Kept(), 1},
	} {
		set(t, test.fault)
		_, err := token.GenerateKey(session, aesGen(), aesTemplate(test.name))
		wantRV(t, "C_GenerateKey", err, ckr.AttributeValueInvalid)
		if found := token.find(session, test.name); len(found) != test.want {
			t.Errorf("%s: found %v, want %d", test.name, found, test.want)
		}
	}
}

// A handle that was kept too long names another key: after a destruction, and after the
// library was initialised again.
func TestReuseHandles(t *testing.T) {
	token := newToken(t)
	token.must(token.Finalize())
	set(t, faultp11.ReuseHandles())
	token.must(token.Initialize())
	session := token.user()
	a, b := token.key(session, "a"), token.key(session, "b")
	token.must(token.DestroyObject(session, a))
	if found := token.find(session, "a"); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	c := token.key(session, "c")
	if c != a {
		t.Errorf("the next key has handle %d, want %d", c, a)
	}
	if got := token.id(session, b); got != "b" {
		t.Errorf("handle %d names %q, want b", b, got)
	}
	token.must(token.Finalize())
	token.must(token.Initialize())
	session = token.user()
	token.find(session, "b")
	token.find(session, "c")
	names := map[string]bool{}
	for _, h := range []struct {
		id     string
		handle uint
	}{{"b", uint(token.find(session, "b")[0])}, {"c", uint(token.find(session, "c")[0])}} {
		names[h.id] = h.handle == uint(b) && h.id == "b" || h.handle == uint(c) && h.id == "c"
	}
	if names["b"] && names["c"] {
		t.Error("both handles are what they were")
	}
}
