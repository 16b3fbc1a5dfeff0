package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// A server whose HSM is not there when it starts serves what does not need it, says so,
// and serves all as soon as the HSM comes, without another start.
func TestAServerStartsWithoutItsHSM(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		away func(*harness.Site) (file string) // what is renamed
		log  string
	}{
		{"no token", func(s *harness.Site) string { return s.Token.Store }, "listing the token directory"},
		{"no library", (*harness.Site).Library, "libsofthsm2.so"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, harness.Options{Library: linkedLibrary(t)})
			first := start(t, site)
			client := dial(t, site, first, harness.Admin)
			key := newKey(t, client)
			stop(t, first.Process)
			file := test.away(site)
			rename(t, file, file+".away")

			server := start(t, site)
			client = dial(t, site, server, harness.Admin)
			expectDegraded(t, client, key)
			awaitLog(t, server, "the HSM is not there; what does not need it is served.", test.log)
			awaitLog(t, server, "not serving:", "HSM")

			rename(t, file+".away", file)
			awaitHealth(t, client, serving)
			if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
				t.Errorf("the HSM is back: %v", err)
			}
		})
	}
}

// linkedLibrary is a link to the library that can be taken away.
func linkedLibrary(t *testing.T) string {
	t.Helper()
	library, err := harness.FindSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "libsofthsm2.so")
	if err := os.Symlink(library, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// expectDegraded expects a server to answer what needs no HSM, and to refuse the rest at
// once.
func expectDegraded(t *testing.T, client *harness.Client, key string) {
	t.Helper()
	awaitHealth(t, client, notServing)
	ctx := within(t, 5*time.Second)
	if _, err := client.KMS.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &key}); err != nil {
		t.Errorf("DescribeKey: %v", err)
	}
	if list, err := client.KMS.ListKeys(ctx, &kmsv1.ListKeysRequest{}); err != nil || len(list.GetKeys()) != 1 {
		t.Errorf("ListKeys: %v, %v", list, err)
	}
	if _, err := client.KMS.UpdateKeyDescription(ctx, &kmsv1.UpdateKeyDescriptionRequest{KeyId: &key, Description: new("changed")}); err != nil {
		t.Errorf("UpdateKeyDescription: %v", err)
	}
	_, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte("x")})
	if status.Code(err) != codes.Unavailable || harness.ErrorInfo(err).GetReason() != "KeyUnavailableException" {
		t.Errorf("Encrypt: %v, want KeyUnavailableException", err)
	}
	_, err = client.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{})
	if harness.ErrorInfo(err).GetReason() != "KMSInternalException" {
		t.Errorf("CreateKey: %v, want KMSInternalException", err)
	}
	if len(allEvents(t, client)) == 0 {
		t.Error("there are no events")
	}
	if h := describeHSM(t, client); h.GetState() == operatorv1.HsmState_HSM_STATE_READY || h.GetReason() == "" {
		t.Errorf("the HSM is %v because %q", h.GetState(), h.GetReason())
	}
}

// A token that is initialised while the server waits for it is found; others that are
// initialised later, with other slots, change nothing.
func TestATokenIsInitialisedWhileTheServerWaits(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	if err := os.RemoveAll(site.Token.Store); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(site.Token.Store, 0o700); err != nil {
		t.Fatal(err)
	}
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	awaitHealth(t, client, notServing)
	initToken(t, site, harness.TokenLabel)
	awaitHealth(t, client, serving)
	key := newKey(t, client)

	for _, label := range []string{"another", "yet-another"} {
		initToken(t, site, label)
		if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
			t.Errorf("beside the token %s: %v", label, err)
		}
		killWorker(t, server) // the next one sees the slots as they are now
		if err := harness.RoundTrip(within(t, 10*time.Second), client, key); err != nil {
			t.Errorf("after the worker's loss beside the token %s: %v", label, err)
		}
	}
}

func initToken(t *testing.T, site *harness.Site, label string) {
	t.Helper()
	if err := site.Token.Init(within(t, 20*time.Second), label); err != nil {
		t.Fatal(err)
	}
}

// With a wrong PIN a server starts too, so that it can be asked what is wrong; it has
// tried the PIN once.
func TestAServerStartsWithAWrongPIN(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	if err := site.Token.WritePIN("not the PIN"); err != nil {
		t.Fatal(err)
	}
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	awaitHealth(t, client, notServing)
	awaitLog(t, server, "It is not tried again before you have acted", "CKR_PIN_INCORRECT")
	if h := describeHSM(t, client); h.GetState() != operatorv1.HsmState_HSM_STATE_STOPPED || !strings.Contains(h.GetReason(), "CKR_PIN_INCORRECT") {
		t.Errorf("the HSM is %v because %q", h.GetState(), h.GetReason())
	}
	tried := 0
	for _, e := range hsmLog(t, client) {
		if e.Function == "C_Login" {
			tried++
		}
	}
	if tried != 1 {
		t.Errorf("the PIN was tried %d times, want once", tried)
	}
}
