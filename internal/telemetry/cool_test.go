package telemetry_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-kms/strongroom/internal/telemetry"
)

// written is a file that changes while time is under control.
type written struct {
	t    *testing.T
	path string
}

func (w written) says(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chtimes(w.path, time.Time{}, time.Now()); err != nil {
		w.t.Fatal(err)
	}
}

func (w written) reads(celsius float64) { w.says(fmt.Sprintf(`{"HsmTemperature": %v}`, celsius)) }

// An HSM at its limit is taken out of service, until it is 5 °C below.
func TestAnHSMThatIsTooHot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, on := written{t, filepath.Join(t.TempDir(), "t.json")}, new(hsms)
		w.reads(109.9)
		all, _ := start(t, telemetry.Source{File: w.path}, on)
		defer all.Close()
		const hot = "withdraw hsm-aaaaaaaaaaa: its temperature is 110 °C, and its limit 110 °C; it serves again at 105 °C"
		for _, step := range []struct {
			celsius float64
			want    string
		}{
			{109.9, ""}, {110, hot}, {120, ""}, {107, ""}, {105.1, ""}, {105, "restore hsm-aaaaaaaaaaa"}, {109, ""}, {40, ""},
		} {
			w.reads(step.celsius)
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := strings.Join(on.taken(), "; "); got != step.want {
				t.Errorf("at %v °C: %q, want %q", step.celsius, got, step.want)
			}
		}
	})
}

// A custom key store that is connected anew has its HSM in service, which is as hot as before: that
// lasts seconds, also if the source is asked once in an hour, or says nothing any more.
func TestAnHSMThatIsTooHotWhenItIsConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, on := written{t, filepath.Join(t.TempDir(), "t.json")}, new(hsms)
		w.reads(111)
		all, _ := start(t, telemetry.Source{File: w.path, Every: time.Hour}, on)
		defer all.Close()
		time.Sleep(4 * time.Hour) // the source has fallen silent
		synctest.Wait()
		on.taken()
		on.connectAnew()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := on.taken(); len(got) != 1 || !strings.HasPrefix(got[0], "withdraw "+hsmID) {
			t.Errorf("within seconds it is done %q", got)
		}
		w.reads(20)
		time.Sleep(time.Hour)
		synctest.Wait()
		on.taken()
		on.connectAnew()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := on.taken(); got != nil {
			t.Errorf("of one that is cool it is done %q", got)
		}
	})
}

func TestALimitOfOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, on := written{t, filepath.Join(t.TempDir(), "t.json")}, new(hsms)
		w.reads(60)
		all, _ := start(t, telemetry.Source{File: w.path, MaxTemperature: 60}, on)
		synctest.Wait()
		all.Close()
		if got := on.taken(); len(got) != 1 || !strings.Contains(got[0], "its limit 60 °C; it serves again at 55 °C") {
			t.Errorf("done was %q", got)
		}
	})
}
