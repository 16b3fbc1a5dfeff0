package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
)

// binary is the program under test, and library the library of faults.
var binary, library string

func TestMain(m *testing.M) { os.Exit(setUp(m)) }

func setUp(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "strongroom-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only temporary files
	binary = filepath.Join(dir, "strongroom")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./cmd/strongroom")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building strongroom: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// fixedSeed is one that every run of the tests has.
const fixedSeed = 1

// Whatever happens to the HSMs and to the server: nothing that was answered is lost,
// every answer has its event and every event its request, no request takes longer than
// it may, and when it is over all is as before, without anybody's help.
func TestChaos(t *testing.T) {
	library = faultp11.Build(t)
	first := uint64(number(t, "STRONGROOM_CHAOS_SEED", fixedSeed))
	if long := os.Getenv("STRONGROOM_CHAOS"); long != "" {
		liveFor(t, long, first)
		return
	}
	o := options{Clients: 8, Rounds: 2, FaultSteps: 400, CalmSteps: 200, FaultsAtMost: 6}
	live(t, o, first)
	if !testing.Short() {
		live(t, o, seedOfTheDay())
	}
}

// liveFor has one long run after the other, each of the next seed, until a time is
// over.
func liveFor(t *testing.T, long string, first uint64) {
	t.Helper()
	d, err := time.ParseDuration(long)
	if err != nil {
		t.Fatalf("STRONGROOM_CHAOS: %v", err)
	}
	o := options{Clients: 8, Rounds: 10, FaultSteps: 1000, CalmSteps: 300, FaultsAtMost: 8}
	total, start, failed := newReport(), time.Now(), 0
	seed := first
	for ; time.Since(start) < d; seed++ {
		if r := live(t, o, seed); r != nil {
			total.add(r)
		} else {
			failed++
		}
	}
	t.Logf("seeds %d to %d, %d of them failed, in %v:\n%v", first, seed-1, failed, time.Since(start).Round(time.Second), total)
}

// seedOfTheDay is another one each day.
func seedOfTheDay() uint64 {
	day, _ := strconv.ParseUint(time.Now().UTC().Format("20060102"), 10, 64)
	return day
}

// live has one run, and returns its report if nothing was found.
func live(t *testing.T, o options, seed uint64) (good *report) {
	t.Helper()
	t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
		o.Binary, o.Library, o.Dir = binary, library, keptOnFailure(t)
		o.Seed, o.Log = seed, t.Logf
		o.Members = number(t, "STRONGROOM_CHAOS_MEMBERS", 1+int(seed%3))
		o.Recovery = recovery
		r, found, err := run(t.Context(), o)
		if err != nil {
			t.Errorf("the run could not go on: %v", err)
		}
		for _, v := range found {
			t.Errorf("%v", v)
		}
		if r != nil {
			t.Logf("seed %d, %d members:\n%v", seed, o.Members, r)
		}
		if t.Failed() {
			t.Logf("again with: %sSTRONGROOM_CHAOS_SEED=%d STRONGROOM_CHAOS_MEMBERS=%d go test -count=1 -v -run 'TestChaos$' ./integration/chaos",
				lengthOf(o), seed, o.Members)
			return
		}
		good = r
	})
	return good
}

// lengthOf is what has the test make one run of a length.
func lengthOf(o options) string {
	if o.Rounds > 2 {
		return "STRONGROOM_CHAOS=1s "
	}
	return ""
}

// recovery is how long it may take until all is well again. A key store whose cluster
// was away when the server started is connected by the next of its tries, each five
// seconds.
const recovery = 20 * time.Second

// number returns a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q, not a number", name, text)
	}
	return n
}

// keptOnFailure returns a new directory that is left where it is if the test fails.
func keptOnFailure(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "strongroom-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the data directory, the tokens and the calls are kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
