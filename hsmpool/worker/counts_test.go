//go:build cgo

package worker

import (
	"fmt"
	"slices"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/hsmpool/kind"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// TestCounts says what requests count: which calls, and how many octets in and out.
func TestCounts(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	id, _ := token.generate(t)
	key := id[:]
	sealRequest := func(n, aad int) *workerv1.ToWorker {
		return &workerv1.ToWorker{Request: &workerv1.ToWorker_Seal{Seal: &workerv1.SealRequest{
			ObjectId: key, Plaintext: make([]byte, n), Aad: make([]byte, aad),
		}}}
	}
	sealed := e.handle(sealRequest(32, 100)) // and the first one is opened, to prove the IV
	open := &workerv1.OpenRequest{ObjectId: key, Iv: sealed.GetIv(), Ciphertext: slices.Clone(sealed.GetCiphertext()), Aad: make([]byte, 100)}
	token.counts.take()
	for _, test := range []struct {
		name    string
		request *workerv1.ToWorker
		in, out uint64
		calls   []string
	}{
		{"seal draws an IV, and gives it with AAD and plaintext", sealRequest(32, 100),
			12 + 100 + 32, 12 + 32 + 16, []string{"C_Encrypt CKM_AES_GCM CKR_OK", "C_EncryptInit CKM_AES_GCM CKR_OK", "C_GenerateRandom  CKR_OK"}},
		{"sealing nothing leaves a tag", sealRequest(0, 0),
			12, 12 + 16, []string{"C_Encrypt CKM_AES_GCM CKR_OK", "C_EncryptInit CKM_AES_GCM CKR_OK", "C_GenerateRandom  CKR_OK"}},
		{"open", &workerv1.ToWorker{Request: &workerv1.ToWorker_Open{Open: open}},
			12 + 100 + 32 + 16, 32, []string{"C_Decrypt CKM_AES_GCM CKR_OK", "C_DecryptInit CKM_AES_GCM CKR_OK"}},
		{"random", &workerv1.ToWorker{Request: &workerv1.ToWorker_Random{Random: &workerv1.RandomRequest{Length: 1000}}},
			0, 1000, []string{"C_GenerateRandom  CKR_OK"}},
	} {
		if reply := e.handle(test.request); reply.GetFailure() != nil {
			t.Fatalf("%s: %v", test.name, reply.GetFailure())
		}
		f := token.counts.take()
		if f.GetOctetsIn() != test.in || f.GetOctetsOut() != test.out {
			t.Errorf("%s: %d octets in and %d out, want %d and %d", test.name, f.GetOctetsIn(), f.GetOctetsOut(), test.in, test.out)
		}
		if got := sorts(f); !slices.Equal(got, test.calls) {
			t.Errorf("%s: counted %q, want %q", test.name, got, test.calls)
		}
	}
	if f := token.figures(); f.GetTokenKeys() != 1 || f.GetSessionKeys() != 0 {
		t.Errorf("%d keys of the token and %d of sessions, want 1 and 0", f.GetTokenKeys(), f.GetSessionKeys())
	}
}

// sorts prints the sorts of calls that were counted, in alphabetical order.
func sorts(f *workerv1.Figures) (all []string) {
	for _, c := range f.GetCalls() {
		for range c.GetCount() {
			all = append(all, fmt.Sprintf("%s %s %s", c.GetFunction(), c.GetMechanism(), ckr.RV(c.GetRv())))
		}
	}
	slices.Sort(all)
	return all
}

// TestSessionKeys makes keys of a session, and counts them until they or the session are gone.
func TestSessionKeys(t *testing.T) {
	token := newTestToken(t)
	e := token.executor(t)
	aes, err := specOf(kind.AES256)
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, n uint32) {
		t.Helper()
		if got := token.counts.take().GetSessionKeys(); got != n {
			t.Errorf("%s: %d keys of sessions, want %d", what, got, n)
		}
	}
	b := &bag{executor: e}
	for range 3 {
		if _, err := b.generate(aes, wrapping(aes)); err != nil {
			t.Fatal(err)
		}
	}
	want("three were made", 3)
	if err := token.token.destroy(e.session, b.handles[0], &workerv1.Call{}); err != nil {
		t.Fatal(err)
	}
	want("one was destroyed", 2)
	token.generate(t)
	want("one of the token was made", 2)
	if err := e.renew(); err != nil {
		t.Fatal(err)
	}
	want("the session was closed", 0)
}

// TestCountingTakesNoMemory counts a sort of calls that occurred before.
func TestCountingTakesNoMemory(t *testing.T) {
	c := newCounts()
	s := callSort{function: "C_Encrypt", mechanism: aesGCM}
	c.call(s, 1)
	if n := testing.AllocsPerRun(100, func() {
		c.call(callSort{function: "C_Encrypt", mechanism: aesGCM}, 1)
		c.octets(1, 1)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestSortsAreBounded has a library answer ever other codes.
func TestSortsAreBounded(t *testing.T) {
	c := newCounts()
	for rv := range ckr.RV(3 * maxSorts) {
		c.call(callSort{function: "C_Encrypt", mechanism: aesGCM, rv: rv}, 1)
	}
	f, calls := c.take(), uint64(0)
	for _, sort := range f.GetCalls() {
		calls += sort.GetCount()
	}
	if len(f.GetCalls()) > 2*maxSorts || calls != 3*maxSorts {
		t.Errorf("%d calls of %d sorts, want %d of %d and a few", calls, len(f.GetCalls()), 3*maxSorts, maxSorts)
	}
}
