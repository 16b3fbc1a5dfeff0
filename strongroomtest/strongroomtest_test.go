package strongroomtest_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/client"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

// TestMain is only about leaks: a server needs none.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("attack at dawn")

func encrypt(t *testing.T, c *client.Client, key string) []byte {
	t.Helper()
	answer, err := c.KMS.Encrypt(t.Context(), &kmsv1.EncryptRequest{KeyId: &key, Plaintext: secret})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetCiphertextBlob()
}

func expectSecret(t *testing.T, c *client.Client, ciphertext []byte) {
	t.Helper()
	answer, err := c.KMS.Decrypt(t.Context(), &kmsv1.DecryptRequest{CiphertextBlob: ciphertext})
	if err != nil || !bytes.Equal(answer.GetPlaintext(), secret) {
		t.Errorf("decrypted to %q, %v", answer.GetPlaintext(), err)
	}
}

// startLimit is well above what a start takes, a quarter of a second, on a
// machine that has other things to do.
const startLimit = time.Second

func TestStartIsFast(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	var fastest time.Duration
	for range 5 {
		began := time.Now()
		strongroomtest.Start(t)
		if took := time.Since(began); fastest == 0 || took < fastest {
			fastest = took
		}
	}
	t.Logf("the fastest start took %v", fastest)
	if fastest > startLimit {
		t.Errorf("the fastest of five starts took %v, want at most %v", fastest, startLimit)
	}
}

func TestEachServerIsAWorldOfItsOwn(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			server := strongroomtest.Start(t)
			key := server.NewKey()
			expectSecret(t, server.Admin, encrypt(t, server.Admin, key))
			if events := server.Events(); len(events) != 3 {
				t.Errorf("the trail has %d events, want those of three requests: %v", len(events), events)
			}
		})
	}
}

func TestPrincipals(t *testing.T) {
	server := strongroomtest.Start(t, strongroomtest.WithPrincipal("billing", "user"), strongroomtest.WithPrincipal("stranger"))
	key := server.NewKey()
	tests := []struct {
		principal, arn string
		use, create    codes.Code
	}{
		{"admin", server.ARN("admin"), codes.OK, codes.OK},
		{"app", server.ARN("app"), codes.OK, codes.PermissionDenied},
		{"billing", "arn:aws:iam::000000000000:user/billing", codes.OK, codes.PermissionDenied},
		{"auditor", server.ARN("auditor"), codes.PermissionDenied, codes.PermissionDenied},
		{"stranger", "", codes.Unauthenticated, codes.Unauthenticated},
	}
	for _, test := range tests {
		t.Run(test.principal, func(t *testing.T) {
			kms := server.Client(test.principal).KMS
			_, err := kms.Encrypt(t.Context(), &kmsv1.EncryptRequest{KeyId: &key, Plaintext: secret})
			expect(t, "using a key", err, test.use)
			_, err = kms.CreateKey(t.Context(), &kmsv1.CreateKeyRequest{})
			expect(t, "creating a key", err, test.create)
			last := server.Events()[len(server.Events())-1]
			if last.EventName != "CreateKey" || last.UserIdentity.ARN != test.arn {
				t.Errorf("the last event is %s", last.JSON)
			}
		})
	}
}

func expect(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	got := codes.OK
	if e, ok := client.AsError(err); ok {
		got = e.Code
	}
	if got != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// What an HSM was sent carries the id of the request that caused it.
func TestTheTrailsBelongTogether(t *testing.T) {
	server := strongroomtest.Start(t)
	key := server.NewKey()
	created := server.Events()[0]
	if created.EventName != "CreateKey" || created.Resources[0].ARN != key || created.ReadOnly || created.EventTime.IsZero() {
		t.Errorf("the first event is %s", created.JSON)
	}
	made := func(e audit.HSMEntry) bool {
		return e.Function == "C_GenerateKey" && e.RequestID == created.RequestID && e.KeyLabel == key
	}
	if log := server.HSMLog(); !slices.ContainsFunc(log, made) {
		t.Errorf("the HSM's log has no entry for %s: %+v", key, log)
	}
}

func TestAwaitEvent(t *testing.T) {
	server := strongroomtest.Start(t)
	key := server.NewKey()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() { encrypt(t, server.Client("app"), key) })
	e := server.AwaitEvent(func(e strongroomtest.Event) bool { return e.EventName == "Encrypt" })
	if e.UserIdentity.ARN != server.ARN("app") {
		t.Errorf("got %s", e.JSON)
	}
}

func TestKeysOutliveARestartAndClientsReconnect(t *testing.T) {
	server := strongroomtest.Start(t)
	ciphertext := encrypt(t, server.Admin, server.NewKey())
	address := server.Address
	server.Restart()
	if server.Address != address {
		t.Errorf("the address was %s and is %s", address, server.Address)
	}
	expectSecret(t, server.Admin, ciphertext)
	events := slices.DeleteFunc(server.Events(), func(e strongroomtest.Event) bool { return e.EventName == "CreateAuditKey" }) // at the restart
	if len(events) != 3 {
		t.Errorf("the trail has %d events, want 3", len(events))
	}
}

// Nothing is lost while the HSM's worker is replaced.
func TestKillWorker(t *testing.T) {
	server := strongroomtest.Start(t, strongroomtest.WithLogLevel("error"))
	ciphertext := encrypt(t, server.Admin, server.NewKey())
	server.KillWorker()
	server.KillWorker() // there may be none just now
	expectSecret(t, server.Admin, ciphertext)
}

func TestStartMain(t *testing.T) {
	server, stop := strongroomtest.StartMain()
	dir := server.Config("admin").CACert
	expectSecret(t, server.Admin, encrypt(t, server.Admin, server.NewKey()))
	stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its directory is still there: %v", err)
	}
}

// failing is a test that may fail: it ends the function that failing.in was
// given, and keeps what was said.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// in does what may fail, and returns what it failed with.
func (f *failing) in(do func()) string {
	var done sync.WaitGroup
	done.Go(do)
	done.Wait()
	return f.said
}

// A mistake ends the test that made it, and nobody else's server.
func TestAMistakeEndsTheTestThatMadeIt(t *testing.T) {
	server, stop := strongroomtest.StartMain()
	t.Cleanup(stop) // after the parallel subtests
	const noSuch = `there is no principal "nobody": see WithPrincipal`
	one := &failing{TB: t}
	if got := one.in(func() { server.For(one).Client("nobody") }); got != noSuch {
		t.Errorf("Client failed with %q, want %q", got, noSuch)
	}
	if got := panics(func() { server.Config("nobody") }); got != noSuch {
		t.Errorf("Config panicked with %q, want %q", got, noSuch)
	}
	if got := panics(func() { server.Client("nobody") }); got != noSuch {
		t.Errorf("Client panicked with %q, want %q", got, noSuch)
	}
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			server.For(t).NewKey()
		})
	}
}

// panics returns the error with which f panics.
func panics(f func()) (said string) {
	defer func() {
		if err, ok := recover().(error); ok {
			said = err.Error()
		}
	}()
	f()
	return "nothing"
}

func TestAfterItsEndAServerSaysSo(t *testing.T) {
	server, stop := strongroomtest.StartMain()
	stop()
	for name, use := range map[string]func(){
		"Client":  func() { server.Client("app") },
		"Config":  func() { server.Config("app") },
		"Env":     func() { server.Env("app") },
		"ARN":     func() { server.ARN("app") },
		"Events":  func() { server.Events() },
		"HSMLog":  func() { server.HSMLog() },
		"Restart": server.Restart,
	} {
		if got, want := panics(use), "the Strongroom server has been stopped"; got != want {
			t.Errorf("%s panicked with %q, want %q", name, got, want)
		}
	}
}

func TestWithLogLevelRefusesWhatIsNone(t *testing.T) {
	got := panics(func() { strongroomtest.StartMain(strongroomtest.WithLogLevel("verbose")) })
	if want := `there is no log level "verbose": see WithLogLevel`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Restart leaves clients with a connection, also those that have tried in vain
// meanwhile, so that what changes something can be called at once.
func TestAfterARestartKeysCanBeMade(t *testing.T) {
	server := strongroomtest.Start(t)
	ctx, end := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	calls.Go(func() {
		for ctx.Err() == nil {
			_, _ = server.Admin.KMS.ListKeys(ctx, &kmsv1.ListKeysRequest{})
		}
	})
	for range 2 {
		server.Restart()
		server.NewKey()
	}
	end()
	calls.Wait()
}

// A machine without SoftHSM is told what to install.
func TestAStartThatFailsSaysWhy(t *testing.T) {
	got := panics(func() { strongroomtest.StartMain(strongroomtest.WithLibrary("/nowhere.so")) })
	if want := "starting a Strongroom server: looking for the SoftHSM library: stat /nowhere.so: no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
