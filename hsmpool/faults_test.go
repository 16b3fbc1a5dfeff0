package hsmpool_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// faults disturbs the calls of a token's library.
type faults struct{ dir string }

// disturb puts a library between a token and the pools that are opened from now on.
func (h *hsm) disturb(tb testing.TB) faults {
	tb.Helper()
	library := filepath.Join(h.dir, "p11fault.so")
	out, err := exec.Command("cc", "-shared", "-fPIC", "-pthread", "-o", library, "testdata/p11fault.c").CombinedOutput()
	if err != nil {
		tb.Fatalf("building the library of faults: %v\n%s", err, out)
	}
	f := faults{filepath.Join(h.dir, "faults")}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	h.config.Library = library
	h.config.Env = append(h.config.Env, "P11FAULT_LIBRARY="+softHSM, "P11FAULT_DIR="+f.dir)
	return f
}

// set has the next calls of a C_ function wait and return a code; 0 is the library's own.
func (f faults) set(tb testing.TB, function string, rv ckr.RV, wait time.Duration, times int) {
	tb.Helper()
	f.write(tb, function, fmt.Sprintf("%d %d %d 0", rv, wait.Milliseconds(), times))
}

// later has a call of a C_ function wait and return a code, after some that pass.
func (f faults) later(tb testing.TB, function string, rv ckr.RV, wait time.Duration, pass int) {
	tb.Helper()
	f.write(tb, function, fmt.Sprintf("%d %d 1 0 %d", rv, wait.Milliseconds(), pass))
}

// refuse has the next calls of a C_ function return a code and do nothing.
func (f faults) refuse(tb testing.TB, function string, rv ckr.RV, times int) {
	tb.Helper()
	f.write(tb, function, fmt.Sprintf("%d 0 %d 2", rv, times))
}

// rename has calls of a C_ function that fail return another code.
func (f faults) rename(tb testing.TB, function string, rv ckr.RV) {
	tb.Helper()
	f.write(tb, function, fmt.Sprintf("%d 0 %d 1", rv, always))
}

func (f faults) write(tb testing.TB, function, content string) {
	tb.Helper()
	f.clear(tb, function)
	path := filepath.Join(f.dir, function)
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}

// clear ends the disturbance of a function.
func (f faults) clear(tb testing.TB, function string) {
	tb.Helper()
	for _, name := range []string{function, function + ".hits"} {
		if err := os.RemoveAll(filepath.Join(f.dir, name)); err != nil {
			tb.Fatal(err)
		}
	}
}

// hits tells how many calls of the function were made since the last set.
func (f faults) hits(function string) int {
	info, err := os.Stat(filepath.Join(f.dir, function+".hits"))
	if err != nil {
		return 0
	}
	return int(info.Size())
}

// always is more calls than a test makes.
const always = 1 << 20

func cloudhsm(c *hsmpool.Config) { c.Profile, c.Sessions = "cloudhsm", 2 }
