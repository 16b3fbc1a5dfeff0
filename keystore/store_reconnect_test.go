package keystore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// scriptedCluster connects as a test says.
type scriptedCluster struct {
	awayCluster
	dial func(context.Context) (ClusterHSM, error)
}

func (c *scriptedCluster) Connect(ctx context.Context, _ []byte) (ClusterHSM, error) {
	return c.dial(ctx)
}

// borrowedHSM is the default HSM as that of a cluster.
type borrowedHSM struct {
	HSM
	seal    func() error          // nil: as the HSM does
	open    func() error          // nil: as the HSM does
	destroy func() error          // nil: as the HSM does
	close   func(context.Context) // nil: at once
}

func (b *borrowedHSM) Seal(ctx context.Context, id hsmpool.ObjectID, plaintext, aad []byte) (hsmpool.Sealed, error) {
	if b.seal != nil {
		return hsmpool.Sealed{}, b.seal()
	}
	return b.HSM.Seal(ctx, id, plaintext, aad)
}

func (b *borrowedHSM) Open(ctx context.Context, id hsmpool.ObjectID, iv, ciphertext, aad []byte) (hsmpool.Opened, error) {
	if b.open != nil {
		return hsmpool.Opened{}, b.open()
	}
	return b.HSM.Open(ctx, id, iv, ciphertext, aad)
}

func (b *borrowedHSM) Destroy(ctx context.Context, id hsmpool.ObjectID) (hsmpool.Trace, error) {
	if b.destroy != nil {
		return hsmpool.Trace{}, b.destroy()
	}
	return b.HSM.Destroy(ctx, id)
}

func (*borrowedHSM) Await(context.Context, int) error { return nil }

func (b *borrowedHSM) Close(ctx context.Context) error {
	if b.close != nil {
		b.close(ctx)
	}
	return nil
}

// startBorrowed starts a service whose default HSM is a borrowed one, with a cluster that
// nobody reaches.
func startBorrowed(t *testing.T) (*service, *borrowedHSM, Cluster) {
	t.Helper()
	hsm, c := new(borrowedHSM), awayCluster{clusterID, newAnchor(t)}
	s := newService(t)
	s.initToken()
	s.with = append(s.with, c)
	s.startWith(func(c *Config) { hsm.HSM, c.HSM = c.HSM, hsm })
	t.Cleanup(s.stop)
	return s, hsm, c
}

// startScripted starts a service with a cluster that connects as dial says.
func startScripted(t *testing.T, dial func(context.Context) (ClusterHSM, error)) (*service, *scriptedCluster) {
	t.Helper()
	c := &scriptedCluster{awayCluster{clusterID, newAnchor(t)}, dial}
	s := newService(t)
	s.initToken()
	s.with = append(s.with, c)
	s.start()
	t.Cleanup(s.stop)
	return s, c
}

// recordOfStore reads a store's record.
func (s *service) recordOfStore(id string) *storagev1.CustomKeyStoreRecord {
	s.t.Helper()
	r := new(storagev1.CustomKeyStoreRecord)
	_, err := s.stored(s.t.Context(), s.scope.storePath(id), r)
	s.must(err)
	return r
}

// A request to connect that was cut off after it was written down is carried out by
// the next start, whose login may be refused. The one after that does not try again.
func TestAWrongPasswordIsTriedOnceHoweverOftenTheServiceStarts(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	id := s.createStore(clusters[0])
	_, err := s.UpdateCustomKeyStore(s.as(admin), &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: &id, KeyStorePassword: new("wrong password")})
	s.must(err)
	wanted := s.view.customStore(id)
	r := wanted.copyRecord()
	r.State = connected.Enum()
	_, err = replaceValue(t.Context(), s.store, s.scope.storePath(id), r, wanted.revision)
	s.must(err)
	for range 3 {
		s.stop()
		s.start()
		if e := s.awaitState(id, failed); e.GetConnectionErrorCode() != kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS {
			t.Errorf("the error code is %v", e.GetConnectionErrorCode())
		}
	}
	if clusters[0].logins != 1 {
		t.Errorf("%d logins were tried", clusters[0].logins)
	}
}

// A store is connected when as many HSMs as its cluster has to have are active. One that
// was is connected again by one of them, since its keys are in use.
func TestAStoreNeedsEnoughHSMsToBeConnected(t *testing.T) {
	s, clusters := startWithClusters(t, clusterID)
	clusters[0].hsms = 2 // of which one is there
	id := s.createStore(clusters[0])
	clusters[0].minActive = 2
	s.connectStore(id)
	if e := s.awaitState(id, failed); e.GetConnectionErrorCode() != kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INSUFFICIENT_CLOUDHSM_HSMS {
		t.Errorf("the error code is %v", e.GetConnectionErrorCode())
	}
	s.disconnectStore(id)
	s.awaitState(id, disconnected)
	clusters[0].minActive = 1
	s.connectStore(id)
	s.awaitState(id, connected)
	clusters[0].minActive = 2
	s.stop()
	s.start()
	s.awaitState(id, connected)
}

func TestTheFailureOfAnEarlierAttemptDoesNotFailTheConnectionAfterIt(t *testing.T) {
	t.Parallel()
	hsm := &borrowedHSM{}
	s, c := startScripted(t, func(context.Context) (ClusterHSM, error) { return hsm, nil })
	hsm.HSM = s.pool
	id := s.connectedStore(c)
	earlier := s.view.customStore(id)
	s.disconnectStore(id)
	s.awaitState(id, disconnected)
	s.connectStore(id)
	s.awaitState(id, connected)
	s.must(s.writeFailure(t.Context(), earlier, kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_NETWORK_ERRORS))
	if state := s.recordOfStore(id).GetState(); state != connected {
		t.Errorf("the record says %v", state)
	}
}

// What a store's record says when the service stops while the store is being
// connected, and the attempt ends so.
func TestAStopDuringAConnectionIsNoFailureOfTheStore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  *hsmpool.Error
		want kmsv1.ConnectionStateType
	}{
		"the worker was ended first": {&hsmpool.Error{Class: hsmpool.Unavailable, Err: errors.New("worker lost")}, connected},
		"the context ended":          {&hsmpool.Error{Class: hsmpool.Timeout, Err: context.Canceled}, connected},
		"the login was refused":      {&hsmpool.Error{Class: hsmpool.Operator, Function: "C_Login", RV: uint32(ckr.PINIncorrect)}, failed},
	} {
		t.Run(name, func(t *testing.T) {
			dialing := make(chan struct{}, 1)
			s, c := startScripted(t, func(ctx context.Context) (ClusterHSM, error) {
				dialing <- struct{}{}
				<-ctx.Done()
				return nil, test.end
			})
			id := s.createStore(c)
			s.connectStore(id)
			<-dialing
			s.must(s.connections.Close(t.Context()))
			if state := s.recordOfStore(id).GetState(); state != test.want {
				t.Errorf("the record says %v, want %v", state, test.want)
			}
		})
	}
}

// After a start the stores are connected in the background, and the cluster may be
// away for a while. A key that fell due meanwhile is deleted with its material.
func TestTheDeletionOfAKeyAwaitsTheConnectionOfItsStore(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	id := s.connectedStore(clusters[0])
	s.schedule(s.createKeyIn(id).KeyId)
	s.stop()
	gate := make(chan struct{})
	s.with[0] = &scriptedCluster{awayCluster{clusterID, clusters[0].anchor}, func(ctx context.Context) (ClusterHSM, error) {
		select {
		case <-gate:
			return clusters[0].Connect(ctx, []byte(clusterPIN))
		case <-ctx.Done():
			return nil, &hsmpool.Error{Class: hsmpool.Timeout, Err: ctx.Err()}
		}
	}}
	s.now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	s.start()
	due, _ := s.view.nextDeletion(func(*key) bool { return true })
	if err := s.deleteDue(t.Context(), due); !errors.Is(err, errHSMAway) {
		t.Fatalf("the deletion of a key whose store is being connected: %v, want %v", err, errHSMAway)
	}
	close(gate)
	s.awaitState(id, connected)
	s.must(s.deleteDue(t.Context(), due))
	objects, err := s.hsms()[id].Objects(t.Context())
	s.must(err)
	if len(objects) != 0 {
		t.Errorf("the cluster has %v", objects)
	}
	if status := s.awaitEvent(deleteKey, 1).AdditionalEventData["backingKeysDeletionStatus"]; !strings.Contains(status.(string), "SUCCESS") {
		t.Errorf("the event says %v", status)
	}
}

// An HSM of a connected store that is away for a while is waited for, as the default one
// is: a key that falls due meanwhile keeps its metadata until its material is destroyed.
func TestTheDeletionOfAKeyAwaitsTheHSMOfItsStore(t *testing.T) {
	t.Parallel()
	s, time := newService(t), new(clock)
	s.now = time.now
	s.initToken()
	cluster := s.newCluster(clusterID, newAnchor(t))
	s.with = append(s.with, cluster)
	s.start()
	t.Cleanup(s.stop)
	id := s.connectedStore(cluster)
	s.schedule(s.createKeyIn(id).KeyId)
	due, _ := s.view.nextDeletion(func(*key) bool { return true })
	hsm, tokens := s.hsms()[id], filepath.Join(cluster.dir, "tokens")
	s.must(os.Rename(tokens, tokens+"-away"))
	s.must(os.Mkdir(tokens, 0o700))
	s.must(syscall.Kill(hsm.Describe()[0].WorkerPID, syscall.SIGKILL))
	s.awaitHealth(hsm, false)
	time.advance(pastTheWindow) // not before: the service itself would begin with what is due
	if err := s.deleteDue(t.Context(), due); !errors.Is(err, errHSMAway) {
		t.Fatalf("the deletion of a key whose HSM is away: %v, want %v", err, errHSMAway)
	}
	s.must(os.Remove(tokens))
	s.must(os.Rename(tokens+"-away", tokens))
	s.awaitHealth(hsm, true)
	s.must(s.deleteDue(t.Context(), due))
	objects, err := hsm.Objects(t.Context())
	s.must(err)
	if len(objects) != 0 || s.view.get(due.id) != nil {
		t.Errorf("the cluster has %v, the metadata %v", objects, s.view.get(due.id))
	}
	if status := s.awaitEvent(deleteKey, 1).AdditionalEventData["backingKeysDeletionStatus"]; !strings.Contains(status.(string), "SUCCESS") {
		t.Errorf("the event says %v", status)
	}
}

// awaitHealth waits until an HSM takes requests, or does not.
func (s *service) awaitHealth(hsm HSM, want bool) {
	s.t.Helper()
	poll, patience := time.NewTicker(2*time.Millisecond), time.After(2*pauseOfATest)
	defer poll.Stop()
	for (hsm.Health() == nil) != want {
		select {
		case <-poll.C:
		case <-patience:
			s.t.Fatalf("the HSM takes requests: %v, want %v: %v", !want, want, hsm.Health())
		}
	}
}

// A destruction that fails in a connected store is tried again, until somebody disconnects
// the store.
func TestTheDestructionInAStoreIsTriedAgainWhileItIsConnected(t *testing.T) {
	t.Parallel()
	hsm := &borrowedHSM{destroy: func() error { return &hsmpool.Error{Class: hsmpool.Unavailable} }}
	s, time := newService(t), new(clock)
	s.now = time.now
	s.initToken()
	c := &scriptedCluster{awayCluster{clusterID, newAnchor(t)}, func(context.Context) (ClusterHSM, error) { return hsm, nil }}
	s.with = append(s.with, c)
	s.start()
	t.Cleanup(s.stop)
	hsm.HSM = s.pool
	id := s.connectedStore(c)
	s.schedule(s.createKeyIn(id).KeyId)
	due, _ := s.view.nextDeletion(func(*key) bool { return true })
	time.advance(pastTheWindow)
	if err := s.deleteDue(t.Context(), due); err == nil || s.view.get(due.id) == nil {
		t.Errorf("the store is connected: %v, and the metadata is %v", err, s.view.get(due.id))
	}
	s.disconnectStore(id)
	s.must(s.deleteDue(t.Context(), due))
	if left := s.view.get(due.id); left != nil {
		t.Errorf("the store is disconnected, and the metadata is %v", left)
	}
}

// The password of a store is sealed in the default HSM. One that does not serve is no
// failure of the store's, not even if an operator has to see to it.
func TestAPasswordThatTheDefaultHSMDoesNotOpen(t *testing.T) {
	t.Parallel()
	s, hsm, cluster := startBorrowed(t)
	store := s.view.customStore(s.createStore(cluster))
	for class, away := range map[hsmpool.Class]bool{
		hsmpool.Operator: true, hsmpool.Unavailable: true, hsmpool.Timeout: true, hsmpool.Busy: true,
		hsmpool.Caller: false, hsmpool.Internal: false, hsmpool.ObjectMissing: false,
	} {
		hsm.open = func() error { return &hsmpool.Error{Class: class} }
		_, err := s.dial(t.Context(), store)
		if err == nil || errors.Is(err, errHSMAway) != away || passing(err) != away {
			t.Errorf("%v: %v; the default HSM is away: %v, want %v", class, err, errors.Is(err, errHSMAway), away)
		}
	}
}

// A worker that is lost is replaced, and logs in again: the password may have been
// changed meanwhile. The store stays connected, as with AWS, and its keys say why.
func TestAKeySaysWhyItsClusterCannotBeUsed(t *testing.T) {
	t.Parallel()
	const repair = "Disconnect the custom key store, reset the password of the user, update the custom key store with it, and connect it again."
	hsm := &borrowedHSM{}
	s, c := startScripted(t, func(context.Context) (ClusterHSM, error) { return hsm, nil })
	hsm.HSM = s.pool
	id := s.connectedStore(c)
	key := s.createKeyIn(id)
	for name, test := range map[string]struct {
		err  *hsmpool.Error
		kind annotationsv1.ErrorKind
		text string
	}{
		"locked": {&hsmpool.Error{Class: hsmpool.Operator, Function: "C_Login", RV: uint32(ckr.PINLocked)}, wrongState,
			"KMS cannot communicate with your CloudHSM cluster because the kmsuser is locked out. " + repair},
		"another password": {&hsmpool.Error{Class: hsmpool.Operator, Function: "C_Login", RV: uint32(ckr.PINIncorrect)}, wrongState,
			"KMS cannot communicate with your CloudHSM cluster because the password of the kmsuser is not right any more. " + repair},
		"away": {&hsmpool.Error{Class: hsmpool.Unavailable}, wrongState,
			"KMS cannot communicate with your CloudHSM cluster. This might be a transient network issue."},
		"busy": {&hsmpool.Error{Class: hsmpool.Busy}, annotationsv1.ErrorKind_ERROR_KIND_THROTTLING, tooFast().Message},
	} {
		t.Run(name, func(t *testing.T) {
			hsm.seal = func() error { return test.err }
			_, err := s.Encrypt(s.as(app), &kmsv1.EncryptRequest{KeyId: key.Arn, Plaintext: []byte("x")})
			expectKind(t, err, test.kind, test.text)
			if state := s.entry(id).GetConnectionState(); state != connected {
				t.Errorf("the store is %v", state)
			}
		})
	}
}
