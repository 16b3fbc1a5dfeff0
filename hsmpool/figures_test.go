package hsmpool_test

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// soon has workers report eight times in this.
func soon(c *hsmpool.Config) { c.HangTimeout = 800 * time.Millisecond }

// TestCallsAreThoseOfTheLibrary compares what the worker has counted with what the library
// says that it was called.
func TestCallsAreThoseOfTheLibrary(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	library := h.disturb(t)
	pool := h.open(t, cloudhsm, soon)
	id := generate(t, pool)
	for range 3 {
		sealed, err := pool.Seal(t.Context(), id, []byte("plaintext"), []byte("aad"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Open(t.Context(), id, sealed.IV[:], sealed.Ciphertext, []byte("aad")); err != nil {
			t.Fatal(err)
		}
	}
	library.put(t, faultp11.Fail("C_Encrypt", ckr.FunctionFailed).Times(1))
	if _, err := pool.Seal(t.Context(), id, []byte("plaintext"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Destroy(t.Context(), id); err != nil {
		t.Fatal(err)
	}

	want := called(t, library)
	awaitFigures(t, pool, func(f hsmpool.Figures) error { return compare(counted(f), want) })
}

// called returns how often each function was called, by its code, of those that only the
// worker itself calls. To ask how long a result is, is a part of asking for it.
func called(t *testing.T, library faults) map[string]uint64 {
	t.Helper()
	n := map[string]uint64{}
	for _, c := range calls(t, library) {
		if slices.Contains(own(), c.Function) && !slices.Contains(c.Remarks, "length-only") {
			n[fmt.Sprintf("%s by %s: %s", c.Function, mechanismName(c.Mechanism), c.RV)]++
		}
	}
	return n
}

func counted(f hsmpool.Figures) map[string]uint64 {
	n := map[string]uint64{}
	for _, c := range f.Calls {
		if slices.Contains(own(), c.Function) {
			n[fmt.Sprintf("%s by %s: %s", c.Function, c.Mechanism, ckr.RV(c.RV))] += c.Count
		}
	}
	return n
}

// own are functions that crypto11 does not call.
func own() []string {
	return []string{"C_Login", "C_FindObjectsInit", "C_GenerateKey", "C_DestroyObject",
		"C_EncryptInit", "C_Encrypt", "C_DecryptInit", "C_Decrypt"}
}

func mechanismName(m uint) string {
	switch m {
	case 0x1080:
		return "CKM_AES_KEY_GEN"
	case 0x1087:
		return "CKM_AES_GCM"
	}
	return ""
}

func compare(got, want map[string]uint64) error {
	var errs []error
	for what, n := range want {
		if got[what] != n {
			errs = append(errs, fmt.Errorf("%s was counted %d times, and called %d times", what, got[what], n))
		}
	}
	for what, n := range got {
		if want[what] == 0 {
			errs = append(errs, fmt.Errorf("%s was counted %d times, and not called", what, n))
		}
	}
	return errors.Join(errs...)
}

// awaitFigures waits until the figures of the first member are right.
func awaitFigures(t *testing.T, pool *hsmpool.Pool, right func(hsmpool.Figures) error) {
	t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = right(pool.Describe()[0].Figures); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// TestALengthThatCannotBeIsNotCounted has the library claim to have written more than there
// was room for.
func TestALengthThatCannotBeIsNotCounted(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	library := h.disturb(t)
	pool := h.open(t, cloudhsm, soon)
	id := generate(t, pool)
	library.put(t, faultp11.Length())
	_, err := pool.Seal(t.Context(), id, []byte("x"), nil)
	wantClass(t, err, hsmpool.Internal)
	awaitFigures(t, pool, func(f hsmpool.Figures) error {
		return compare(map[string]uint64{"sealed": counted(f)["C_Encrypt by CKM_AES_GCM: CKR_OK"]}, map[string]uint64{"sealed": 1})
	})
	if f := pool.Describe()[0].Figures; f.OctetsOut > 1<<16 {
		t.Errorf("%d octets came out", f.OctetsOut)
	}
}

// TestFiguresOutliveTheWorker has a worker killed: what it has counted stays, and the next
// one's calls come on top.
func TestFiguresOutliveTheWorker(t *testing.T) {
	t.Parallel()
	pool := newHSM(t).open(t, soon)
	id := generate(t, pool)
	initialized := func(n uint64) func(hsmpool.Figures) error {
		return func(f hsmpool.Figures) error {
			got := counted(f)
			return compare(
				map[string]uint64{"logins": got["C_Login by : CKR_OK"], "keys made": got["C_GenerateKey by CKM_AES_KEY_GEN: CKR_OK"], "keys": uint64(f.TokenKeys)},
				map[string]uint64{"logins": n, "keys made": 1, "keys": 1})
		}
	}
	awaitFigures(t, pool, initialized(1))
	if err := syscall.Kill(pool.Describe()[0].WorkerPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitFigures(t, pool, initialized(2))
	if _, err := pool.Seal(t.Context(), id, nil, nil); err != nil {
		t.Error(err)
	}
}

// TestAnUnsuccessfulLoginIsCounted has a worker report that could not start.
func TestAnUnsuccessfulLoginIsCounted(t *testing.T) {
	t.Parallel()
	h := newHSM(t)
	h.write(t, "pin", "wrong-pin\n")
	pool, err := hsmpool.Start(h.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	awaitFigures(t, pool, func(f hsmpool.Figures) error {
		return compare(map[string]uint64{"refused": counted(f)["C_Login by : CKR_PIN_INCORRECT"]}, map[string]uint64{"refused": 1})
	})
}
