package keystore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/worker"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const (
	softHSM = "/usr/lib/softhsm/libsofthsm2.so"
	admin   = "arn:aws:iam::000000000000:user/admin"
	app     = "arn:aws:iam::000000000000:user/app"
	auditor = "arn:aws:iam::000000000000:role/auditor"
	root    = "arn:aws:iam::000000000000:root"
	nobody  = "arn:aws:iam::000000000000:user/nobody"
)

// TestMain lets the test binary be the HSM worker too, as the product's binary
// is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hsm-worker" {
		os.Exit(worker.Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// service is a Keystore on real parts: a SoftHSM token of its own, a journal,
// a metadata file. Stopping and starting it keeps them.
type service struct {
	t        testing.TB
	dir      string
	gcmLimit uint64
	logger   hclog.Logger
	journal  string // the id of the open one
	accept   bool   // another journal
	region   string // us-east-1 if empty
	now      func() time.Time
	with     []Cluster
	away     bool  // the HSM, when the service starts
	fuse     *fuse // between the parts and the journal and metadata; nil: none

	*Keystore
	trail *audit.Trail
	pool  *hsmpool.Pool
	store *metadata.Bolt
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir()}
	s.write("pin", "1234567890")
	s.write("so-pin", "0987654321")
	s.write("softhsm2.conf", "directories.tokendir = "+s.path("tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n")
	if err := os.Mkdir(s.path("tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

func startService(t testing.TB) *service {
	t.Helper()
	s := newService(t)
	s.initToken()
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *service) path(name string) string { return filepath.Join(s.dir, name) }

func (s *service) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) env() []string { return []string{"SOFTHSM2_CONF=" + s.path("softhsm2.conf")} }

func (s *service) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) initToken() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	trail, _, err := audit.Open(audit.Options{Dir: s.path("journal")})
	s.must(err)
	s.must(hsmpool.InitToken(ctx, hsmpool.InitConfig{
		Library: softHSM, Label: "keystore-test", Env: s.env(), Auditor: trail,
		PIN: hsmpool.PINSource{File: s.path("pin")}, SOPIN: hsmpool.PINSource{File: s.path("so-pin")},
	}))
	s.must(trail.Close(ctx))
}

func (s *service) start() {
	s.t.Helper()
	s.must(s.tryStart())
}

// tryStart opens the parts, which must work, and then the Keystore.
func (s *service) tryStart() error {
	s.t.Helper()
	s.openParts()
	return s.open(s.config())
}

// startWith starts the service with another configuration than usual.
func (s *service) startWith(change func(*Config)) {
	s.t.Helper()
	s.openParts()
	c := s.config()
	change(&c)
	s.must(s.open(c))
}

func (s *service) open(c Config) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.Keystore, err = New(ctx, c)
	return err
}

// openParts opens what the Keystore stands on.
func (s *service) openParts() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var recovery journal.Recovery
	var err error
	s.trail, recovery, err = audit.Open(audit.Options{Dir: s.path("journal")})
	s.must(err)
	s.journal = recovery.Journal.String()
	s.pool, err = hsmpool.Start(hsmpool.Config{
		Library: softHSM, Token: hsmpool.TokenSelector{Label: "keystore-test"}, Profile: "softhsm",
		PIN: hsmpool.PINSource{File: s.path("pin")}, Env: s.env(), Auditor: s.fuse.auditor(s.trail), Logger: s.logger,
	})
	s.must(err)
	if err := s.pool.Await(ctx, 1); (err != nil) != s.away {
		s.t.Fatalf("the HSM at the start: %v", err)
	}
	s.store, err = metadata.OpenBolt(s.path("metadata.db"), metadata.BoltOptions{})
	s.must(err)
}

func (s *service) config() Config {
	return Config{
		Account: "000000000000", Region: cmp.Or(s.region, "us-east-1"), HSM: s.pool, Metadata: s.store, Trail: s.trail, gcmLimit: s.gcmLimit, now: s.now, Logger: s.logger,
		Journal: s.journal, AcceptNewJournal: s.accept, Clusters: s.with,
		Principals: map[string][]string{admin: {"admin"}, app: {"user"}, auditor: {"auditor"}},
	}
}

func (s *service) stop() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.must(s.Close(ctx))
	s.closeParts()
}

// closeParts closes what the Keystore stands on.
func (s *service) closeParts() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.must(s.store.Close())
	s.must(s.pool.Close(ctx))
	s.must(s.trail.Close(ctx))
}

// as is the context of a request by a principal.
func (s *service) as(principal string) context.Context {
	return NewContext(s.t.Context(), Caller{
		Principal: principal, SourceIP: "192.0.2.7", UserAgent: "test/1", Credential: "sha256:00",
		TLS: &TLS{Version: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Host: "kms.test"},
	})
}

func (s *service) createKey() *kmsv1.KeyMetadata {
	s.t.Helper()
	res, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{Description: new("made by " + s.t.Name())})
	s.must(err)
	return res.KeyMetadata
}

// event is what the tests look at in an API event.
type event struct {
	EventName, ErrorCode, ErrorMessage, EventType, RequestID, AWSRegion string
	UserIdentity                                                        struct{ Type, ARN, InvokedBy string }
	RequestParameters, ResponseElements                                 map[string]any
	AdditionalEventData, ServiceEventDetails                            map[string]any
	Resources                                                           []struct{ ARN string }
	ReadOnly                                                            bool
}

// events returns all API events so far.
func (s *service) events() []event {
	s.t.Helper()
	var all []event
	for rec, err := range s.trail.Events(s.t.Context(), audit.Query{}) {
		s.must(err)
		all = append(all, s.decodeEvent(rec))
	}
	return all
}

func (s *service) decodeEvent(rec audit.EventRecord) (e event) {
	s.t.Helper()
	s.must(json.Unmarshal(rec.JSON, &e))
	return e
}

// lastEvent returns the newest API event.
func (s *service) lastEvent() event {
	s.t.Helper()
	all := s.events()
	if len(all) == 0 {
		s.t.Fatal("there is no event")
	}
	return all[len(all)-1]
}

// hsmLog returns the opcodes' functions of the HSM log so far.
func (s *service) hsmLog() []audit.HSMEntry {
	s.t.Helper()
	var all []audit.HSMEntry
	for e, err := range s.trail.HSMLog(s.t.Context(), audit.Query{}) {
		s.must(err)
		all = append(all, e)
	}
	return all
}

// findSecret says in which form a secret stands in what was written.
func findSecret(written, secret []byte) string {
	for form, spelling := range map[string][]byte{
		"the clear":     secret,
		"base64":        []byte(base64.StdEncoding.EncodeToString(secret)),
		"raw base64":    []byte(base64.RawStdEncoding.EncodeToString(secret)),
		"hexadecimal":   []byte(hex.EncodeToString(secret)),
		"Go's notation": []byte(strings.Trim(fmt.Sprintf("%d", secret), "[]")),
	} {
		if bytes.Contains(written, spelling) {
			return form
		}
	}
	return ""
}

// createKeyIntent is the intent of a CreateKey request by admin.
func createKeyIntent(request string, r *storagev1.KeyRecord) *audit.Intent {
	return &audit.Intent{RequestID: request, EventName: "CreateKey", RequestedBy: admin, KeyARN: r.GetArn(), BackingKeyID: newestID(r).String()}
}
