package integration

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// A wrong PIN is tried once by a server that is killed and started again and again, at a
// token that locks after three. An unlock-check has it tried once more. When the token then
// says that the next wrong one locks it, it is not; and when the PIN is right and the user
// unlocked, all goes on without a restart.
func TestAWrongPINUntilAnOperatorHasActed(t *testing.T) {
	t.Parallel()
	library, faults := traced(t)
	if err := faults.Set(faultp11.PINLimit(3), faultp11.Watch("C_Login")); err != nil {
		t.Fatal(err)
	}
	site := newSite(t, harness.Options{Library: library})
	tried := func(when string, want int) {
		t.Helper()
		if got := faults.Seen("C_Login"); got != want {
			t.Errorf("%s: %d logins, want %d", when, got, want)
		}
	}
	if err := site.Token.WritePIN("not the PIN"); err != nil {
		t.Fatal(err)
	}
	const stopped = "worker stopped until an operator has acted"
	for range 3 {
		server := start(t, site)
		awaitLog(t, server, stopped, "PIN")
		server.Kill()
		<-server.Exited()
	}
	tried("three starts", 1)

	server := start(t, site)
	env := clientEnv(site, server, harness.Admin)
	awaitLog(t, server, stopped, "strongroom hsm unlock-check")
	if out := mustRun(t, env, "hsm", "unlock-check"); !strings.Contains(out, "count low  true") {
		t.Errorf("the PIN is still wrong:\n%s", out)
	}
	client := dial(t, site, server, harness.Admin)
	awaitTries(t, client, 2)
	out, _, err := strongroom(t, env, "hsm", "unlock-check")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(out, "final try  false") {
		t.Errorf("one try is left: %v\n%s", err, out)
	}
	tried("two checks", 2)

	if err := errors.Join(site.Token.WritePIN(site.Token.PIN), faults.Remove("pin-limit")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, env, "hsm", "unlock-check")
	awaitHealth(t, client, serving)
	tried("all", 3)
	newKey(t, client)
	if out := mustRun(t, env, "hsm", "unlock-check"); !strings.Contains(out, "No HSM is stopped.") {
		t.Errorf("the HSM serves:\n%s", out)
	}
	if out := mustRun(t, env, "hsm", "info"); !strings.Contains(out, "the user PIN was given wrongly") {
		t.Errorf("nothing warns of the wrong PINs:\n%s", out)
	}
}

// awaitTries waits until so many logins were refused and the HSM has stopped again.
func awaitTries(t *testing.T, client *harness.Client, n int) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	for {
		refused := 0
		for _, e := range hsmLog(t, client) {
			if e.Function == "C_Login" && e.RV != 0 {
				refused++
			}
		}
		if refused >= n && describeHSM(t, client).GetState() == operatorv1.HsmState_HSM_STATE_STOPPED {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%d logins were refused, want %d and the HSM stopped", refused, n)
		}
	}
}
