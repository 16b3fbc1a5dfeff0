package integration

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	hangingCluster = "cluster-hanginghang"
	soundCluster   = "cluster-soundsounds"
)

// A custom key store whose HSM hangs takes its own places and no more: what is asked of
// it beyond them is refused at once, with a time to wait, and another store and the
// default one are served as if nothing were.
func TestAStoreThatHangsLeavesTheOthersTheirPlaces(t *testing.T) {
	const asked, places = 500, 512 / 4 // of limits.max_in_flight, a quarter for each store
	softHSM, err := harness.FindSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	faults := faultp11.New(t, softHSM)
	site := newSite(t, harness.Options{Clusters: []harness.Cluster{
		{ID: hangingCluster, Library: faults.Path(), Env: environment(faults), HangTimeout: time.Minute},
		{ID: soundCluster},
	}})
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	hanging, sound, own := keyInStore(t, site, client, hangingCluster), keyInStore(t, site, client, soundCluster), newKey(t, client)

	if err := faults.Set(faultp11.Hang("C_Encrypt")); err != nil {
		t.Fatal(err)
	}
	var refused, served atomic.Int64
	var storm sync.WaitGroup
	ctx := within(t, 30*time.Second)
	for range asked {
		storm.Go(func() { askHanging(ctx, t, client, hanging, &refused, &served) })
	}
	for refused.Load() < asked-places && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	for _, key := range []string{own, sound} {
		done, err := harness.Load(within(t, 20*time.Second), 16, func(done int64) bool { return done < 100 }, func(ctx context.Context, _ int) error {
			return harness.RoundTrip(ctx, client, key)
		})
		if err != nil {
			t.Errorf("beside the store that hangs, after %d round trips: %v", done, err)
		}
	}
	if n := served.Load(); n != 0 {
		t.Errorf("%d requests were answered by an HSM that hangs", n)
	}
	if err := faults.Clear(); err != nil {
		t.Fatal(err)
	}
	storm.Wait()
	if r, s := refused.Load(), served.Load(); r != asked-places || s != places {
		t.Errorf("%d requests were refused and %d answered when the HSM went on, want %d and %d", r, s, asked-places, places)
	}
}

func environment(l *faultp11.Library) map[string]string {
	env := map[string]string{}
	for _, variable := range l.Env() {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	return env
}

// keyInStore makes a custom key store of a cluster, and a key in it.
func keyInStore(t *testing.T, site *harness.Site, client *harness.Client, cluster string) string {
	t.Helper()
	ctx := within(t, 20*time.Second)
	store, err := client.NewStore(ctx, site, cluster)
	if err != nil {
		t.Fatal(err)
	}
	for {
		made, err := client.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{
			Origin: kmsv1.OriginType_ORIGIN_TYPE_AWS_CLOUDHSM.Enum(), CustomKeyStoreId: &store,
		})
		if err == nil {
			return made.GetKeyMetadata().GetArn()
		}
		if harness.ErrorInfo(err).GetReason() != "CustomKeyStoreInvalidStateException" {
			t.Fatalf("making a key in the store of %s: %v", cluster, err)
		}
		time.Sleep(10 * time.Millisecond) // it is being connected
	}
}

// askHanging counts how a request to the store that hangs has ended.
func askHanging(ctx context.Context, t *testing.T, client *harness.Client, key string, refused, served *atomic.Int64) {
	_, err := client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte("x")})
	switch {
	case err == nil:
		served.Add(1)
	case status.Code(err) == codes.ResourceExhausted && harness.ErrorInfo(err).GetReason() == "ThrottlingException" && harness.RetryDelay(err) > 0:
		refused.Add(1)
	default:
		t.Errorf("a request to the store that hangs: %v", err)
	}
}
