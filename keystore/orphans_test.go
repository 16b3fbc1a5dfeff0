package keystore

import (
	"bytes"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/strongroom-kms/strongroom/hsmpool"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func (s *service) orphanList() *operatorv1.ListHsmOrphansResponse {
	s.t.Helper()
	res, err := s.Operator().ListHsmOrphans(s.as(auditor), &operatorv1.ListHsmOrphansRequest{})
	s.must(err)
	return res
}

// makeObject makes a key in the token that no metadata knows.
func (s *service) makeObject(label string) hsmpool.ObjectID {
	s.t.Helper()
	id := hsmpool.ObjectID([]byte(rand.Text()[:16]))
	_, err := s.pool.Generate(s.t.Context(), hsmpool.GenerateRequest{ID: id, Label: label, Type: hsmpool.AES256, Use: hsmpool.Encrypt})
	s.must(err)
	return id
}

func TestOrphansAreFoundInBothDirections(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.createKey()
	if res := s.orphanList(); len(res.TokenOrphans)+len(res.MetadataOrphans) != 0 {
		t.Errorf("orphans of a sound token: %v", res)
	}
	foreign := s.makeObject("payroll master key")
	lost := s.createKey()
	material := s.materialOf(lost)
	_, err := s.pool.Destroy(t.Context(), material)
	s.must(err)
	want := &operatorv1.ListHsmOrphansResponse{
		TokenOrphans:    []*operatorv1.TokenOrphan{{HsmId: new(s.pool.Describe()[0].HSMID), ObjectId: new(foreign.String()), Label: new("payroll master key"), Ours: new(false)}},
		MetadataOrphans: []*operatorv1.MetadataOrphan{{KeyArn: lost.Arn, BackingKeyId: new(material.String()), Current: new(true)}},
	}
	if diff := cmp.Diff(want, s.orphanList(), protocmp.Transform()); diff != "" {
		t.Errorf("orphans (-want +got):\n%s", diff)
	}
	if e := s.lastEvent(); e.EventName != "ListHsmOrphans" || !e.ReadOnly {
		t.Errorf("the event is %+v", e)
	}
}

func TestAStartSaysHowTokenAndMetadataDiffer(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.makeObject("payroll master key")
	lost := s.createKey()
	_, err := s.pool.Destroy(t.Context(), s.materialOf(lost))
	s.must(err)
	s.stop()
	var log bytes.Buffer
	s.logger = hclog.New(&hclog.LoggerOptions{Output: &log, Mutex: new(sync.Mutex)})
	s.openParts()
	r, err := assembleRegions(s.config(), []string{virginia})
	s.must(err)
	s.must(r.addDirectory(s.config()))
	k := r.Default()
	s.must(k.view.load(t.Context(), s.store))
	k.reportOrphans(t.Context(), s.pool)
	for _, want := range []string{"key material is missing from the token", lost.GetArn(), "keys that the metadata does not know", "unknown=1", "strongroom hsm orphans"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
	s.closeParts()
	s.start()
}

func TestOrphansAreNotLookedForInStoresThatAreNotConnected(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	for _, id := range []string{clusterID, otherCluster} {
		s.with = append(s.with, s.newCluster(id, newAnchor(t)))
	}
	r := s.openRegions(virginia, ireland)
	t.Cleanup(func() { s.closeRegions(r) })
	ids := map[string]string{}
	for i, region := range r.Names() {
		k, _ := r.Region(region)
		res, err := k.CreateCustomKeyStore(s.as(admin), createRequest(s.with[i]))
		s.must(err)
		ids[region] = res.GetCustomKeyStoreId()
	}
	skipped := func() []string {
		t.Helper()
		res, err := r.Operator().ListHsmOrphans(s.as(auditor), &operatorv1.ListHsmOrphansRequest{})
		s.must(err)
		return res.GetSkippedKeyStores()
	}
	want := slices.Sorted(maps.Values(ids))
	if diff := cmp.Diff(want, skipped()); diff != "" {
		t.Errorf("stores of two Regions, never connected (-want +got):\n%s", diff)
	}
	s.Keystore = r.Default()
	s.connectStore(ids[virginia])
	s.awaitState(ids[virginia], connected)
	if diff := cmp.Diff([]string{ids[ireland]}, skipped()); diff != "" {
		t.Errorf("one is connected (-want +got):\n%s", diff)
	}
}

func TestAnOrphanWithOurLabelIsOurs(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.makeObject("arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012")
	s.makeObject("arn:aws:kms:eu-west-1:000000000000:key/12345678-1234-1234-1234-123456789012")
	ours := 0
	for _, o := range s.orphanList().TokenOrphans {
		if o.GetOurs() {
			ours++
		}
	}
	if ours != 1 {
		t.Errorf("%d of two orphans are ours, want the one of this Region", ours)
	}
}

// waitingHSM waits between making a key and saying so.
type waitingHSM struct {
	HSM
	made, goOn chan struct{}
}

func (h waitingHSM) Generate(ctx context.Context, r hsmpool.GenerateRequest) (hsmpool.Generated, error) {
	made, err := h.HSM.Generate(ctx, r)
	close(h.made)
	<-h.goOn
	return made, err
}

func TestMaterialThatIsBeingMadeIsNoOrphan(t *testing.T) {
	t.Parallel()
	s := startService(t)
	h := waitingHSM{HSM: s.pool, made: make(chan struct{}), goOn: make(chan struct{})}
	s.hsm = h
	done := make(chan error)
	go func() {
		_, err := s.CreateKey(s.as(admin), &kmsv1.CreateKeyRequest{})
		done <- err
	}()
	<-h.made
	if res := s.orphanList(); len(res.TokenOrphans) != 0 {
		t.Errorf("material of a request under way is reported: %v", res)
	}
	close(h.goOn)
	s.must(<-done)
}

func (s *service) materialOf(k *kmsv1.KeyMetadata) hsmpool.ObjectID {
	s.t.Helper()
	r, err := s.scope.parseReference(k.GetArn())
	s.must(err)
	return s.view.get(r.key).current()
}
