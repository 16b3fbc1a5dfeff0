package keystore

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/keystore/policy"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

const notFresh = annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE

// TestTheConfigurationWinsOverWhatIsStored joins a configuration with what was
// stored before it had come to be.
func TestTheConfigurationWinsOverWhatIsStored(t *testing.T) {
	t.Parallel()
	const role, sameRole = "arn:aws:iam::000000000000:role/app", "arn:aws:iam::000000000000:role/team/app"
	c, err := newConfigured(Config{
		Principals:       map[string][]string{admin: {"admin"}, role: {"reader"}},
		Policies:         map[string]string{"reader": mayList},
		CertificateNames: map[string]string{"admin.corp": admin, "spiffe://corp/app": role},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		principal *storagev1.PrincipalRecord
		policy    *storagev1.PolicyRecord
		warning   string
		has       []string // the names of its policies
		known     []string // of its certificate names
	}{
		"beside": {
			principal: &storagev1.PrincipalRecord{Arn: new(bob), Names: []string{"bob.corp"}, Policies: []string{"mine", "reader", "user"}},
			policy:    &storagev1.PolicyRecord{Name: new("mine")}, has: []string{"mine", "reader", "user"}, known: []string{"bob.corp"},
		},
		"same ARN": {
			principal: &storagev1.PrincipalRecord{Arn: new(admin), Names: []string{"bob.corp"}, Policies: []string{"user"}},
			has:       []string{"admin"}, warning: "the stored principal " + admin + " is not in force: " + admin + " is there already",
		},
		"role of the same name": {
			principal: &storagev1.PrincipalRecord{Arn: new(sameRole), Policies: []string{"user"}},
			warning:   "the stored principal " + sameRole + " is not in force: " + role + " is there already",
		},
		"same name": {
			principal: &storagev1.PrincipalRecord{Arn: new(bob), Names: []string{"admin.corp", "bob.corp"}, Policies: []string{"user"}},
			has:       []string{"user"}, known: []string{"bob.corp"},
			warning: "certificates with the name admin.corp are not those of the stored principal " + bob + ": they are those of " + admin,
		},
		"same policy": {
			principal: &storagev1.PrincipalRecord{Arn: new(bob), Policies: []string{"reader"}},
			policy:    &storagev1.PolicyRecord{Name: new("reader")}, has: []string{"reader"},
			warning: `the stored policy "reader" is not in force: the configuration has one of this name, which its principals get`,
		},
		"policy that is gone": {
			principal: &storagev1.PrincipalRecord{Arn: new(bob), Policies: []string{"gone"}},
			warning:   "the stored principal " + bob + ` has the policy "gone", which does not exist and grants nothing`,
		},
		"no policy": {
			principal: &storagev1.PrincipalRecord{Arn: new(bob), Names: []string{"bob.corp"}}, known: []string{"bob.corp"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stored := newDirectoryContents()
			stored.principals[test.principal.GetArn()] = &storedPrincipal{record: test.principal}
			if test.policy != nil {
				document, err := policy.ParseIdentityPolicy(test.policy.GetName(), mayNothing)
				if err != nil {
					t.Fatal(err)
				}
				stored.policies[test.policy.GetName()] = &storedPolicy{record: test.policy, document: document}
			}
			r, err := c.with(&stored)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.warnings, "\n"); got != test.warning {
				t.Errorf("warned %q, want %q", got, test.warning)
			}
			var has []string
			for _, d := range r.identities.Of(test.principal.GetArn()) {
				has = append(has, d.Name())
			}
			if diff := cmp.Diff(test.has, has); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
			var known []string
			for _, n := range test.principal.GetNames() {
				if r.names.principalOf(nil, []string{n}) == test.principal.GetArn() {
					known = append(known, n)
				}
			}
			if diff := cmp.Diff(test.known, known); diff != "" {
				t.Errorf("certificate names (-want +got):\n%s", diff)
			}
			listed, is := r.principals[test.principal.GetArn()]
			if replaced := strings.HasSuffix(test.warning, " is there already"); is == replaced {
				t.Fatalf("in the list: %t", is)
			}
			if is && (!slices.Equal(listed.record.GetPolicies(), test.has) || !slices.Equal(listed.record.GetNames(), test.known)) {
				t.Errorf("the list has %v", listed.record)
			}
		})
	}
}

func TestConfiguredPrincipalsHaveToAgree(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Config{
		`certificate name "a.corp": there is no principal "` + bob + `"`: {CertificateNames: map[string]string{"a.corp": bob}},
		`the certificate name "" is neither a URI nor a DNS name`:        {Principals: map[string][]string{admin: {"admin"}}, CertificateNames: map[string]string{"": admin}},
		`policy "p": `: {Policies: map[string]string{"p": "{"}},
		`principal "` + admin + `": there is no policy "p", only`:                     {Principals: map[string][]string{admin: {"p"}}},
		`policy "user": that is the name of a built-in policy`:                        {Policies: map[string]string{"user": mayList}},
		`principal "arn:aws:iam::000000000000:role/b/a": account 000000000000 has an`: {Principals: map[string][]string{"arn:aws:iam::000000000000:role/a/a": {"user"}, "arn:aws:iam::000000000000:role/b/a": {"user"}}},
	} {
		if _, err := newDirectory(testScope, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestWhatIsNotInForceIsSaidOnce has a principal lose its policy, and other changes
// come after that.
func TestWhatIsNotInForceIsSaidOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d, err := newDirectory(testScope, Config{Logger: hclog.New(&hclog.LoggerOptions{Output: &log})})
	if err != nil {
		t.Fatal(err)
	}
	c := newDirectoryContents()
	c.principals[bob] = &storedPrincipal{record: &storagev1.PrincipalRecord{Arn: new(bob), Policies: []string{"gone"}}}
	for range 3 {
		if err := d.publish(&c); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), `[WARN]  the stored principal `+bob+` has the policy "gone", which does not exist and grants nothing`); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}

// put writes a record as another, or a newer, process might.
func (s *service) put(path string, m proto.Message) {
	s.t.Helper()
	value, err := encodeValue(m)
	s.must(err)
	_, err = s.store.Commit(s.t.Context(), metadata.Txn{Puts: []metadata.KeyValue{{Key: path, Value: value}}})
	s.must(err)
}

// TestWhatIsNotUnderstoodRefusesTheStart has records that a newer binary, or
// somebody else, has written.
func TestWhatIsNotUnderstoodRefusesTheStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path   string
		record proto.Message
		words  string
	}{
		"policy": {testScope.policyPath("new"), &storagev1.PolicyRecord{Name: new("new"), Document: new(`{"Version":"2030-01-01"}`)},
			"000000000000/global/policy/new: this binary does not understand the identity policy, which a newer strongroom may have written: "},
		"policy of another name":        {testScope.policyPath("new"), &storagev1.PolicyRecord{Name: new("old"), Document: new(mayList)}, `the record there is that of "old"`},
		"principal of another name":     {testScope.principalPath(bob), &storagev1.PrincipalRecord{Arn: new(carol)}, `the record there is that of "` + carol + `"`},
		"access key of another id":      {testScope.accessKeyPath("AKIA1"), &storagev1.AccessKeyRecord{AccessKeyId: new("AKIA2")}, `the record there is that of "AKIA2"`},
		"access key that nothing seals": {testScope.accessKeyPath("AKIA1"), &storagev1.AccessKeyRecord{AccessKeyId: new("AKIA1"), SealingKeyId: []byte("short")}, "the id of the sealing key has 5 bytes"},
		"sealing key without an id":     {testScope.sealingKeyPath(), new(storagev1.SealingKeyRecord), "the id of the sealing key has 0 bytes"},
		"principal that is none":        {testScope.principalPath("bob"), &storagev1.PrincipalRecord{Arn: new("bob")}, `principal "bob" is not the ARN`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.initToken()
			s.openParts()
			defer s.closeParts()
			s.put(test.path, test.record)
			if err := s.open(s.config()); err == nil || !strings.HasPrefix(err.Error(), "reading the principals and identity policies: ") || !strings.Contains(err.Error(), test.words) {
				t.Errorf("the start gave %v, want %q", err, test.words)
			}
		})
	}
}

// TestStaleRightsAreNotAnsweredFrom has a record written, while the service runs,
// that it does not understand: what it denies is not known.
func TestStaleRightsAreNotAnsweredFrom(t *testing.T) {
	t.Parallel()
	s, r := startRegions(t, virginia, ireland)
	s.put(s.scope.policyPath("new"), &storagev1.PolicyRecord{Name: new("new"), Document: new("{}")})
	for s.directory.healthy() == nil {
		_, err := s.ListKeys(s.as(admin), new(kmsv1.ListKeysRequest)) // takes a moment
		if err != nil && kindOf(err) != notFresh {
			t.Fatal(err)
		}
	}
	for _, region := range r.Names() {
		k, _ := r.Region(region)
		if _, err := k.ListKeys(s.as(admin), new(kmsv1.ListKeysRequest)); kindOf(err) != notFresh {
			t.Errorf("%s answers %v", region, err)
		}
	}
	if err := r.Health(); err == nil || !strings.Contains(err.Error(), "does not understand the identity policy") {
		t.Errorf("health says %v", err)
	}
}

// compactedStore is a store that has forgotten what it was first asked to watch.
type compactedStore struct {
	metadata.Store
	prefix string
	asked  chan struct{} // closed at the first Watch
	resume chan struct{}
}

func (c *compactedStore) Watch(ctx context.Context, prefix string, after uint64) iter.Seq2[metadata.Change, error] {
	if prefix != c.prefix {
		return c.Store.Watch(ctx, prefix, after)
	}
	return func(yield func(metadata.Change, error) bool) {
		select {
		case <-c.asked:
			for change, err := range c.Store.Watch(ctx, prefix, after) {
				if !yield(change, err) {
					return
				}
			}
		default:
			close(c.asked)
			<-c.resume
			yield(metadata.Change{}, metadata.ErrCompacted)
		}
	}
}

// TestChangesThatWereMissedAreReadAgain stores a principal while the changes are
// not seen, and not kept either.
func TestChangesThatWereMissedAreReadAgain(t *testing.T) {
	t.Parallel()
	s, store := newService(t), &compactedStore{prefix: testScope.globalPrefix(), asked: make(chan struct{}), resume: make(chan struct{})}
	s.initToken()
	s.startWith(func(c *Config) { store.Store, c.Metadata = c.Metadata, store })
	defer s.stop()
	<-store.asked
	s.put(s.scope.principalPath(bob), &storagev1.PrincipalRecord{Arn: new(bob), Names: []string{bobsName}, Policies: []string{"user"}})
	if got := s.regions.PrincipalOf([]string{bobsName}, nil); got != "" {
		t.Errorf("%s is known already", got)
	}
	close(store.resume)
	s.putPrincipal(carol, nil, "user") // waits until the changes are seen
	if got := s.regions.PrincipalOf([]string{bobsName}, nil); got != bob {
		t.Errorf("the certificate is that of %q, want %q", got, bob)
	}
}

func TestLookingUpAPrincipalAllocatesNothing(t *testing.T) {
	d, err := newDirectory(testScope, Config{Principals: map[string][]string{bob: {"user"}}, CertificateNames: map[string]string{bobsName: bob, "bob.corp": bob}})
	if err != nil {
		t.Fatal(err)
	}
	uris, dns := []string{"spiffe://corp/x", bobsName}, []string{"bob.corp"}
	if n := testing.AllocsPerRun(100, func() { d.principalOf(uris, dns) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestABackupHasPrincipalsAndPolicies restores one beside a journal that tells of
// a principal, or an access key, deleted later.
func TestABackupHasPrincipalsAndPolicies(t *testing.T) {
	t.Parallel()
	entries := []metadata.Entry{
		entryOf(t, testScope.accessKeyPath("AKIA1"), 2, &storagev1.AccessKeyRecord{AccessKeyId: new("AKIA1")}),
		entryOf(t, testScope.policyPath("lister"), 3, &storagev1.PolicyRecord{Name: new("lister"), Document: new(mayList)}),
		entryOf(t, testScope.principalPath(bob), 4, &storagev1.PrincipalRecord{Arn: new(bob)}),
		entryOf(t, testScope.principalPath(carol), 5, &storagev1.PrincipalRecord{Arn: new(carol)}),
	}
	change := func(name, arn string) audit.Change {
		return audit.Change{Intent: audit.Intent{RequestID: "r", EventName: name, ResourceARN: arn}}
	}
	for name, test := range map[string]struct {
		changes []audit.Change
		want    []metadata.Entry
	}{
		"nothing changed since":    {nil, entries},
		"deleted since":            {[]audit.Change{change("PutPrincipal", bob), change("DeletePrincipal", bob)}, slices.Concat(entries[:2], entries[3:])},
		"access key deleted since": {[]audit.Change{change("DeleteAccessKey", testScope.accessKeyARN("AKIA1"))}, entries[1:]},
		"made again since":         {[]audit.Change{change("DeletePrincipal", bob), change("PutPrincipal", bob)}, entries},
		"a policy of that is not":  {[]audit.Change{change("DeleteIdentityPolicy", testScope.policyARN("lister"))}, entries},
	} {
		t.Run(name, func(t *testing.T) {
			r := Restoration{Now: time.Now(), Records: 7, Changes: test.changes}
			if diff := cmp.Diff(test.want, restored(t, &r, entries)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLimitsOfTheDirectory fills the store and puts one more of each.
func TestLimitsOfTheDirectory(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	s.openParts()
	var txn metadata.Txn
	for i := range maxStored {
		arn := fmt.Sprintf("arn:aws:iam::000000000000:user/u%d", i)
		value, err := encodeValue(&storagev1.PrincipalRecord{Arn: &arn})
		s.must(err)
		txn.Puts = append(txn.Puts, metadata.KeyValue{Key: testScope.principalPath(arn), Value: value})
		if len(txn.Puts) == metadata.MaxTxnKeys {
			_, err := s.store.Commit(t.Context(), txn)
			s.must(err)
			txn.Puts = nil
		}
	}
	large := mayList + strings.Repeat(" ", 130_000)
	for i := range maxStoredBytes / len(large) {
		name := fmt.Sprintf("p%d", i)
		s.put(testScope.policyPath(name), &storagev1.PolicyRecord{Name: &name, Document: &large})
	}
	s.must(s.open(s.config()))
	defer s.stop()
	_, err := s.Operator().PutPrincipal(s.as(admin), &operatorv1.PutPrincipalRequest{Arn: new(bob)})
	if want := "No more than 1000 principals can be stored, of 2097152 bytes in all."; err == nil || AsError(err).Message != want {
		t.Errorf("one more principal: %v", err)
	}
	s.putPrincipal("arn:aws:iam::000000000000:user/u0", nil, "user") // in the place of one
	_, err = s.Operator().PutIdentityPolicy(s.as(admin), &operatorv1.PutIdentityPolicyRequest{Name: new("more"), Document: &large})
	if want := "No more than 1000 policies can be stored, of 2097152 bytes in all."; err == nil || AsError(err).Message != want {
		t.Errorf("one more policy: %v", err)
	}
}
