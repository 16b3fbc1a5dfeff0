package keystore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	userPIN = "1234567890"
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
	code := m.Run()
	_ = os.RemoveAll(blank.dir) // only temporary files
	os.Exit(code)
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
	s.write("pin", userPIN)
	s.write("softhsm2.conf", softHSMConf(s.path("tokens")))
	return s
}

func startService(t testing.TB) *service {
	t.Helper()
	s := newService(t)
	s.initToken()
	s.start()
	t.Cleanup(func() {
		s.stop()
		s.expectValidEvents()
	})
	return s
}

func (s *service) path(name string) string { return filepath.Join(s.dir, name) }

func (s *service) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) env() []string { return workerEnv(s.dir) }

// workerEnv is the environment of the workers of a token. They are many, and do not
// wait at their end for the race detector.
func workerEnv(dir string) []string {
	return []string{"SOFTHSM2_CONF=" + filepath.Join(dir, "softhsm2.conf"), "GORACE=atexit_sleep_ms=0"}
}

func (s *service) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// initToken gives the service a token of its own.
func (s *service) initToken() {
	s.t.Helper()
	s.must(blank.make())
	for _, dir := range []string{"tokens", "journal"} {
		s.must(os.CopyFS(s.path(dir), os.DirFS(filepath.Join(blank.dir, dir))))
	}
}

// blank is a new token, and the journal that tells how it was made. Each test has a
// copy, because making one takes as long as most tests do.
var blank blankToken

type blankToken struct {
	once sync.Once
	dir  string // empty until it is made; TestMain removes it
	err  error
}

// make makes the token, once.
func (b *blankToken) make() error {
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "keystore-test-"); b.err == nil {
			b.err = b.fill()
		}
	})
	return b.err
}

func (b *blankToken) fill() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tokens, conf := filepath.Join(b.dir, "tokens"), filepath.Join(b.dir, "softhsm2.conf")
	if err := errors.Join(os.Mkdir(tokens, 0o700), os.WriteFile(conf, []byte(softHSMConf(tokens)), 0o600)); err != nil {
		return err
	}
	trail, _, err := audit.Open(audit.Options{Dir: filepath.Join(b.dir, "journal")})
	if err != nil {
		return err
	}
	err = hsmpool.InitToken(ctx, hsmpool.InitConfig{
		Library: softHSM, Label: "keystore-test", Env: workerEnv(b.dir), Auditor: trail,
		PIN: hsmpool.PINSource{Secret: []byte(userPIN)}, SOPIN: hsmpool.PINSource{Secret: []byte("0987654321")},
	})
	return errors.Join(err, trail.Close(ctx))
}

// softHSMConf is a configuration of SoftHSM.
func softHSMConf(tokens string) string {
	return "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n"
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
	s.trail, recovery, err = openTrail(s.path("journal"))
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

// openTrail opens a journal. A process that another test is starting has the lock that
// the journal had when it was born, until it has become another program.
func openTrail(dir string) (trail *audit.Trail, r journal.Recovery, err error) {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		trail, r, err = audit.Open(audit.Options{Dir: dir})
		if !errors.Is(err, journal.ErrInUse) || time.Now().After(end) {
			return trail, r, err
		}
	}
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
