package keystore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// auditKeys says of each audit key whether it signs.
func (s *service) auditKeys() (all []string) {
	for _, a := range s.regions.AuditKeys() {
		if a.Retired.IsZero() {
			all = append(all, "signs")
		} else {
			all = append(all, "retired")
		}
	}
	return all
}

func (s *service) expectAuditKeys(want ...string) {
	s.t.Helper()
	if got := s.auditKeys(); !slices.Equal(got, want) {
		s.t.Errorf("the audit keys are %v, want %v", got, want)
	}
}

// sign has something signed, and expects the signature to be good. It returns the
// fingerprint of the key.
func (s *service) sign() string {
	s.t.Helper()
	message := []byte("a digest")
	signature, fingerprint, err := s.regions.AuditSigner().Sign(s.t.Context(), message)
	s.must(err)
	all := s.regions.AuditKeys()
	i := slices.IndexFunc(all, func(a AuditKey) bool { return a.Fingerprint == fingerprint })
	if i < 0 {
		s.t.Fatalf("%s has signed, which is none of %v", fingerprint, all)
	}
	sum := sha256.Sum256(all[i].PublicKey)
	if hex.EncodeToString(sum[:]) != fingerprint {
		s.t.Errorf("%s is not the fingerprint of its public key", fingerprint)
	}
	public, err := x509.ParsePKCS1PublicKey(all[i].PublicKey)
	s.must(err)
	digest := sha256.Sum256(message)
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil || public.Size() != 2048/8 {
		s.t.Errorf("a signature by a key of %d bytes: %v", public.Size(), err)
	}
	return fingerprint
}

func (s *service) rotateAuditKey(ctx context.Context) (*operatorv1.AuditSigningKey, error) {
	res, err := s.Operator().RotateAuditKey(ctx, &operatorv1.RotateAuditKeyRequest{})
	return res.GetSigningKey(), err
}

// The key is made once, when it is first needed, by whoever comes first, and leaves an
// event with its public half.
func TestTheAuditKeyIsMadeAtItsFirstNeed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.start()
	s.expectAuditKeys()
	if n := s.objects(); n != 0 {
		t.Errorf("the token has %d keys at the start", n)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { s.sign() })
	}
	all.Wait()
	first := s.sign()
	s.expectAuditKeys("signs")
	s.expectOneTruth()
	var made []event
	for _, e := range s.events() {
		if e.EventName == createAuditKey {
			made = append(made, e)
		}
	}
	public := base64.StdEncoding.EncodeToString(s.regions.AuditKeys()[0].PublicKey)
	if len(made) != 1 || made[0].EventType != "AwsServiceEvent" || made[0].ErrorCode != "" ||
		made[0].ServiceEventDetails["publicKey"] != public || made[0].ServiceEventDetails["fingerprint"] != first {
		t.Errorf("the events of its making are %+v", made)
	}
	s.stop()
	s.start()
	defer s.stop()
	if again := s.sign(); again != first {
		t.Errorf("after a restart %s signs, and not %s", again, first)
	}
	if res := s.orphanList(); len(res.TokenOrphans)+len(res.MetadataOrphans) != 0 {
		t.Errorf("orphans: %v", res)
	}
}

// No request names the audit key: what is not in the metadata as a KMS key is none.
func TestTheAuditKeyIsNoKMSKey(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.sign()
	id := s.directory.snapshot().auditKey().id.String()
	for _, name := range []string{id, s.scope.auditKeyARN(id), id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]} {
		_, err := s.Sign(s.as(admin), &kmsv1.SignRequest{KeyId: &name, Message: []byte("m"), SigningAlgorithm: kmsv1.SigningAlgorithmSpec_SIGNING_ALGORITHM_SPEC_RSASSA_PKCS1_V1_5_SHA_256.Enum()})
		if err == nil {
			t.Errorf("%s signs", name)
		}
	}
	keys, err := s.ListKeys(s.as(admin), &kmsv1.ListKeysRequest{})
	s.must(err)
	if len(keys.GetKeys()) != 0 {
		t.Errorf("listed %v", keys.GetKeys())
	}
}

func TestRotatingTheAuditKey(t *testing.T) {
	t.Parallel()
	s := startService(t)
	first := s.sign()
	rotated, err := s.rotateAuditKey(s.as(admin))
	s.must(err)
	if rotated.GetFingerprint() == first || s.sign() != rotated.GetFingerprint() || rotated.Retired != nil {
		t.Errorf("after %s the key is %v", first, rotated)
	}
	s.expectAuditKeys("retired", "signs")
	if n := s.objects(); n != 1 {
		t.Errorf("the token has %d keys, want the new one alone", n)
	}
	for _, e := range s.events() {
		if e.EventName == "RotateAuditKey" && !strings.Contains(fmt.Sprint(e.ResponseElements), rotated.GetFingerprint()) {
			t.Errorf("the event does not tell the key: %+v", e)
		}
	}
	if _, err := s.rotateAuditKey(s.as(auditor)); err == nil {
		t.Error("an auditor has rotated it")
	}
	if res := s.orphanList(); len(res.TokenOrphans)+len(res.MetadataOrphans) != 0 {
		t.Errorf("orphans: %v", res)
	}
}

// An audit key that the token has lost is missed, and rotating it is the way out.
func TestALostAuditKey(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.sign()
	lost := s.directory.snapshot().auditKey()
	_, err := s.pool.Destroy(t.Context(), lost.id)
	s.must(err)
	_, _, err = s.regions.AuditSigner().Sign(t.Context(), []byte("m"))
	if err == nil || !strings.Contains(err.Error(), lost.Fingerprint) || !strings.Contains(err.Error(), "strongroom audit rotate-key") {
		t.Errorf("signing without it: %v", err)
	}
	if o := s.orphanList().MetadataOrphans; len(o) != 1 || o[0].GetBackingKeyId() != lost.id.String() {
		t.Errorf("what is missing: %v", o)
	}
	_, err = s.rotateAuditKey(s.as(admin))
	s.must(err)
	s.sign()
	if res := s.orphanList(); len(res.TokenOrphans)+len(res.MetadataOrphans) != 0 {
		t.Errorf("orphans: %v", res)
	}
}

// While the HSM is away nothing is signed, nothing is made and nothing is recorded.
func TestSigningWithoutTheHSM(t *testing.T) {
	s := newService(t)
	s.initToken()
	s.takeAway()
	s.start()
	defer s.stop()
	ctx, cancel := context.WithTimeout(t.Context(), holdPatience)
	defer cancel()
	if _, _, err := s.regions.AuditSigner().Sign(ctx, []byte("m")); err == nil || !strings.Contains(err.Error(), errHSMAway.Error()) {
		t.Errorf("signing without the HSM: %v", err)
	}
	s.expectAuditKeys()
	if n := len(s.events()); n != 0 {
		t.Errorf("%d events", n)
	}
}

// wrongHSM signs what it was not asked to.
type wrongHSM struct{ HSM }

func (h wrongHSM) Sign(ctx context.Context, id hsmpool.ObjectID, a hsmpool.Algorithm, input []byte) (hsmpool.Signed, error) {
	other := slices.Clone(input)
	other[0]++
	return h.HSM.Sign(ctx, id, a, other)
}

func TestAWrongSignatureIsNotUsed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.startWith(func(c *Config) { c.HSM = wrongHSM{c.HSM} })
	defer s.stop()
	if signature, _, err := s.regions.AuditSigner().Sign(t.Context(), []byte("m")); err == nil || signature != nil {
		t.Errorf("signed %x, %v", signature, err)
	}
}

// A backup has the audit keys, and a restore brings them back as they were.
func TestABackupHasTheAuditKeys(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.sign()
	_, err := s.rotateAuditKey(s.as(admin))
	s.must(err)
	var file bytes.Buffer
	s.must(s.backup(t.Context(), &file))
	a, err := archive.NewReader(&file)
	s.must(err)
	path := s.path("restored.db")
	r := Restoration{}
	s.must(metadata.CreateBolt(path, r.Revision(a.Header()), r.Entries(a.Header(), a.Entries())))
	store, err := metadata.OpenBolt(path, metadata.BoltOptions{})
	s.must(err)
	defer store.Close() //nolint:errcheck // only read
	want, _, err := s.store.Range(t.Context(), s.scope.auditKeyPath(""))
	s.must(err)
	got, _, err := store.Range(t.Context(), s.scope.auditKeyPath(""))
	s.must(err)
	if len(want) != 2 || !slices.EqualFunc(want, got, func(a, b metadata.Entry) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }) {
		t.Errorf("restored %d audit keys, want %d as they were", len(got), len(want))
	}
}

// auditKeyOperations change the key that signs digests. There is none at the starting
// point.
func auditKeyOperations() []operation {
	rotate := asksOperator(operatorv1.OperatorServiceServer.RotateAuditKey, new(operatorv1.RotateAuditKeyRequest))
	first := func(w world) { w.AuditKeys["signs"]++ }
	return []operation{
		{name: createAuditKey, undone: undone, apply: first,
			do: func(s *service, ctx context.Context) error {
				_, err := s.regions.AuditSigner().PublicKeys(ctx)
				return err
			}},
		{name: "RotateAuditKey", undone: undone, do: rotate, apply: first, when: " as the first"},
		{name: "RotateAuditKey", undone: undone, do: rotate, when: " in the place of another",
			prepare: func(s *service) { s.sign() },
			from:    first,
			apply:   func(w world) { w.AuditKeys["retired"]++ }},
	}
}

// The key that signs is listed last, though the clock was set back before it was made.
func TestAuditKeysInOrder(t *testing.T) {
	t.Parallel()
	key := func(name string, created, retired int64) *storedAuditKey {
		s := &storedAuditKey{AuditKey: AuditKey{Fingerprint: name, Created: time.Unix(created, 0)}}
		if retired > 0 {
			s.Retired = time.Unix(retired, 0)
		}
		return s
	}
	c := directoryContents{auditKeys: map[string]*storedAuditKey{
		"a": key("signs", 50, 0), "b": key("second", 200, 50), "c": key("first", 100, 200),
	}}
	var got []string
	for _, s := range c.auditKeysInOrder() {
		got = append(got, s.Fingerprint)
	}
	if want := []string{"first", "second", "signs"}; !slices.Equal(got, want) || c.auditKey().Fingerprint != "signs" {
		t.Errorf("the keys are %v, want %v", got, want)
	}
}
