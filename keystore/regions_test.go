package keystore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const virginia, ireland = "us-east-1", "eu-west-1"

// tryRegions opens the parts and then the Regions. If these do not open, the
// parts are closed again.
func (s *service) tryRegions(change func(*Config), names ...string) (*Regions, error) {
	s.t.Helper()
	s.openParts()
	c := s.config()
	change(&c)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := OpenRegions(ctx, c, names...)
	if err != nil {
		s.closeParts()
		return nil, err
	}
	s.Keystore = r.Default()
	return r, nil
}

func (s *service) openRegions(names ...string) *Regions {
	s.t.Helper()
	r, err := s.tryRegions(func(*Config) {}, names...)
	s.must(err)
	return r
}

func (s *service) closeRegions(r *Regions) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.must(r.Close(ctx))
	s.closeParts()
}

// startRegions is startService with several Regions.
func startRegions(t testing.TB, names ...string) (*service, *Regions) {
	t.Helper()
	s := newService(t)
	s.initToken()
	r := s.openRegions(names...)
	t.Cleanup(func() { s.closeRegions(r) })
	return s, r
}

// createIn creates a key in a Region.
func (s *service) createIn(r *Regions, region string) *kmsv1.KeyMetadata {
	s.t.Helper()
	k, ok := r.Region(region)
	if !ok {
		s.t.Fatalf("there is no Region %s", region)
	}
	res, err := k.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{})
	s.must(err)
	return res.GetKeyMetadata()
}

func TestEachRegionIsANamespaceOfItsOwn(t *testing.T) {
	t.Parallel()
	s, r := startRegions(t, virginia, ireland)
	names := map[string]string{}
	for _, region := range r.Names() {
		key := s.createIn(r, region)
		names[region] = key.GetArn()
		if want := "arn:aws:kms:" + region + ":"; !strings.HasPrefix(key.GetArn(), want) {
			t.Errorf("a key of %s is %s", region, key.GetArn())
		}
		k, _ := r.Region(region)
		_, err := k.CreateAlias(s.as(admin), &kmsv1.CreateAliasRequest{AliasName: new("alias/same"), TargetKeyId: key.KeyId})
		s.must(err)
	}
	for region, other := range map[string]string{virginia: ireland, ireland: virginia} {
		k, _ := r.Region(region)
		_, id, _ := strings.Cut(names[other], "key/")
		for _, ref := range []string{id, names[other]} {
			_, err := k.DescribeKey(s.as(admin), &kmsv1.DescribeKeyRequest{KeyId: &ref})
			if e := AsError(err); err == nil || e.Kind != annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND {
				t.Errorf("%s describes %s: %v", region, ref, err)
			}
		}
		res, err := k.DescribeKey(s.as(admin), &kmsv1.DescribeKeyRequest{KeyId: new("alias/same")})
		if err != nil || res.GetKeyMetadata().GetArn() != names[region] {
			t.Errorf("the alias in %s names %v: %v", region, res, err)
		}
		listed, err := k.ListKeys(s.as(admin), &kmsv1.ListKeysRequest{})
		if err != nil || len(listed.GetKeys()) != 1 || listed.GetKeys()[0].GetKeyArn() != names[region] {
			t.Errorf("%s lists %v: %v", region, listed, err)
		}
	}
	if got := s.regionsOf("CreateKey"); !slices.Equal(got, []string{virginia, ireland}) {
		t.Errorf("the CreateKey events are of %v", got)
	}
}

// regionsOf returns the Regions of the events of a name.
func (s *service) regionsOf(name string) (regions []string) {
	s.t.Helper()
	for _, e := range s.events() {
		if e.EventName == name {
			regions = append(regions, e.AWSRegion)
		}
	}
	return regions
}

func TestRegionsThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		regions []string
		words   string
	}{
		"none":  {nil, "there is no Region"},
		"twice": {[]string{virginia, ireland, virginia}, "listed twice"},
		"bad":   {[]string{virginia, "Ireland"}, "does not look like"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := assembleRegions(Config{Account: "000000000000", HSM: new(hsmpool.Pool), Metadata: new(metadata.Bolt), Trail: new(audit.Trail), Journal: "j"}, test.regions); err == nil || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %q", err, test.words)
			}
		})
	}
}

// TestRegionsAreAddedAndRemoved starts the same data directory with one list of
// Regions after the other. It has a key in Virginia.
func TestRegionsAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	r := s.openRegions(virginia)
	s.createIn(r, virginia)
	s.closeRegions(r)
	for _, step := range []struct {
		name    string
		regions []string
		accept  bool
		words   string // of the refusal; empty: it starts
	}{
		{"one more", []string{virginia, ireland}, false, ""},
		{"in another order", []string{ireland, virginia}, false, ""},
		{"the one with the key removed", []string{ireland}, false, "has keys (1) in Region us-east-1, which the configuration does not list"},
		{"even if a new journal is accepted", []string{ireland}, true, "list it again under regions"},
		{"the empty one removed", []string{virginia}, false, ""},
		{"and added again", []string{virginia, ireland}, false, ""},
		{"a new one first", []string{"ap-south-1", virginia}, false, ""},
	} {
		r, err := s.tryRegions(func(c *Config) { c.AcceptNewJournal = step.accept }, step.regions...)
		if err == nil {
			s.closeRegions(r)
		}
		if (err == nil) != (step.words == "") || err != nil && !strings.Contains(err.Error(), step.words) {
			t.Errorf("%s: %v, want %q", step.name, err, step.words)
		}
	}
	if got := s.journalsAccepted(); len(got) != 0 {
		t.Errorf("journals were accepted in %v", got)
	}
}

// journalsAccepted returns the Regions in which a journal was accepted.
func (s *service) journalsAccepted() []string {
	s.t.Helper()
	s.openParts()
	defer s.closeParts()
	return s.regionsOf("AcceptNewJournal")
}

// TestLostStateIsNoticedBesideANewRegion loses state and adds a Region in front of
// the present one in the same start, twice: the first must not hide anything.
func TestLostStateIsNoticedBesideANewRegion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lose     func(*service, []byte) error
		account  string
		words    string
		accepted []string // where an operator's acceptance leaves an event
	}{
		"an older copy of the metadata": {func(s *service, older []byte) error { return os.WriteFile(s.path("metadata.db"), older, 0o600) }, "",
			"metadata.db is an older copy or damaged", []string{ireland}},
		"the metadata": {func(s *service, _ []byte) error { return os.Remove(s.path("metadata.db")) }, "",
			"metadata.db was lost", []string{ireland, virginia}},
		"the journal": {func(s *service, _ []byte) error { return os.RemoveAll(s.path("journal")) }, "",
			"the journal was lost or replaced", []string{virginia}},
		"the account": {func(*service, []byte) error { return nil }, "111122223333",
			"account or Region were changed", []string{ireland, virginia}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.initToken()
			s.closeRegions(s.openRegions(virginia))
			older, err := os.ReadFile(s.path("metadata.db"))
			s.must(err)
			r := s.openRegions(virginia)
			s.createIn(r, virginia)
			s.closeRegions(r)
			s.must(test.lose(s, older))
			as := func(accept bool) func(*Config) {
				return func(c *Config) {
					c.AcceptNewJournal = accept
					if test.account != "" {
						c.Account = test.account
					}
				}
			}
			for range 2 {
				if _, err := s.tryRegions(as(false), ireland, virginia); err == nil || !strings.Contains(err.Error(), test.words) {
					t.Fatalf("the start gave %v, want %q", err, test.words)
				}
			}
			for _, accept := range []bool{true, false} { // and from then on without
				r, err := s.tryRegions(as(accept), ireland, virginia)
				s.must(err)
				s.closeRegions(r)
			}
			if diff := cmp.Diff(test.accepted, s.journalsAccepted()); diff != "" {
				t.Errorf("journals were accepted in (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIntentsAreSettledInTheirRegion leaves an open intent of each of two Regions.
func TestIntentsAreSettledInTheirRegion(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.closeRegions(s.openRegions(virginia, ireland))
	s.openParts()
	for _, region := range []string{virginia, ireland} {
		arn := scope{account: "000000000000", region: region}.keyARN(uuid.New())
		s.must(s.trail.RecordIntent(t.Context(), &audit.Intent{RequestID: uuid.NewString(), EventName: "DisableKey", KeyARN: arn}))
	}
	s.closeParts()

	if _, err := s.tryRegions(func(*Config) {}, virginia); err == nil || !strings.Contains(err.Error(), "account 000000000000; us-east-1); start once with those of the intent") {
		t.Errorf("without the Region of an intent: %v", err)
	}
	r := s.openRegions(virginia, ireland)
	defer s.closeRegions(r)
	if got := s.regionsOf("DisableKey"); !slices.Equal(got, []string{virginia, ireland}) {
		t.Errorf("the events are of %v", got)
	}
	if open := s.trail.UnsettledIntents(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}

// TestBackupHasAllRegions makes a backup beside a change in the second Region,
// which it waits for, and restores it.
func TestBackupHasAllRegions(t *testing.T) {
	t.Parallel()
	s, r := startRegions(t, virginia, ireland)
	for _, region := range r.Names() {
		key := s.createIn(r, region)
		k, _ := r.Region(region)
		_, err := k.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.Arn, Plaintext: []byte("x")})
		s.must(err)
	}
	second, _ := r.Region(ireland)
	under, err := second.changes.begin(t.Context(), "a path")
	s.must(err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Default().backup(ended, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup beside a change of another Region: %v", err)
	}
	under.end()

	var file bytes.Buffer
	s.must(r.Default().backup(t.Context(), &file))
	a, err := archive.NewReader(&file)
	s.must(err)
	if got := a.Header(); got.Account != "000000000000" || !slices.Equal(got.Regions, r.Names()) {
		t.Errorf("the header is %+v", got)
	}
	keys, counts := map[string]int{}, map[string]int{}
	restoration := Restoration{Now: time.Now(), Records: 5}
	for e, err := range restoration.Entries(a.Header(), a.Entries()) {
		s.must(err)
		of := scopeOf(e.Key)
		if IsKey(e) {
			keys[of.region]++
		}
		if strings.HasPrefix(e.Key, of.invocations("")) && e.Revision == restoration.Revision(a.Header()) {
			counts[of.region]++
		}
	}
	want := map[string]int{virginia: 1, ireland: 1}
	if !cmp.Equal(want, keys) || !cmp.Equal(want, counts) {
		t.Errorf("restored keys %v and raised counts %v, want %v of both", keys, counts, want)
	}
}

// TestKeysOfAnotherRegionAreNoOrphans compares the token with two Regions, and
// then with one of them alone.
func TestKeysOfAnotherRegionAreNoOrphans(t *testing.T) {
	t.Parallel()
	s, r := startRegions(t, virginia, ireland)
	for _, region := range r.Names() {
		s.createIn(r, region)
	}
	stray := hsmpool.ObjectID{1}
	label := scope{account: "000000000000", region: ireland}.keyARN(uuid.New())
	_, err := s.pool.Generate(t.Context(), hsmpool.GenerateRequest{ID: stray, Label: label, Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	s.must(err)
	res, err := r.Default().orphans(t.Context(), r.hsms())
	s.must(err)
	if len(res.GetMetadataOrphans()) != 0 || len(res.GetTokenOrphans()) != 1 || !res.GetTokenOrphans()[0].GetOurs() {
		t.Errorf("orphans %v, want the stray key alone, as one of ours", res)
	}

	second, _ := r.Region(ireland)
	for id := range second.view.materials() {
		_, err := s.pool.Destroy(t.Context(), id)
		s.must(err)
	}
	res, err = r.Default().orphans(t.Context(), r.hsms())
	s.must(err)
	if lost := res.GetMetadataOrphans(); len(lost) != 1 || !strings.Contains(lost[0].GetKeyArn(), ireland) {
		t.Errorf("lost %v, want the key in Ireland", lost)
	}
}

// TestRejectedRequestsAreOfTheRegionTheyName has requests that reach no operation.
func TestRejectedRequestsAreOfTheRegionTheyName(t *testing.T) {
	t.Parallel()
	s, r := startRegions(t, virginia, ireland)
	refusal := &Error{Kind: annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, Message: "no"}
	for _, region := range []string{"", ireland, virginia, "ap-south-1"} {
		ctx := NewContext(t.Context(), Caller{Principal: app, Region: region})
		if err := r.Reject(ctx, kmsv1.KeyManagementService_ListKeys_FullMethodName, refusal); !errors.Is(err, refusal) {
			t.Errorf("%s: %v", region, err)
		}
	}
	if got, want := s.regionsOf("ListKeys"), []string{virginia, ireland, virginia, virginia}; !slices.Equal(got, want) {
		t.Errorf("the events are of %v, want %v", got, want)
	}
}

// TestHealthIsOfAllRegions breaks the view of the second one.
func TestHealthIsOfAllRegions(t *testing.T) {
	t.Parallel()
	_, r := startRegions(t, virginia, ireland)
	if err := r.Health(); err != nil {
		t.Fatal(err)
	}
	second, _ := r.Region(ireland)
	broken := errors.New("the watch ended")
	second.view.mu.Lock()
	second.view.broken = broken
	second.view.mu.Unlock()
	if err := r.Health(); err == nil || !strings.HasPrefix(err.Error(), "Region "+ireland+": ") || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("got %v, want %v of %s", err, broken, ireland)
	}
}

// TestClosingGivesInvocationsBackInEveryRegion closes after an encryption in each.
func TestClosingGivesInvocationsBackInEveryRegion(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	r := s.openRegions(virginia, ireland)
	for _, region := range r.Names() {
		k, _ := r.Region(region)
		_, err := k.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: s.createIn(r, region).Arn, Plaintext: []byte("x")})
		s.must(err)
	}
	s.must(r.Close(t.Context()))
	for _, k := range r.stores {
		for id := range k.view.materials() {
			if count, _, err := k.meter.read(t.Context(), id); err != nil || count != 1 {
				t.Errorf("%s has %d reserved, %v", k.scope.region, count, err)
			}
		}
	}
	s.closeParts()
}
