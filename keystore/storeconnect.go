package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/keystore/connect"
	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	// connectTimeout bounds one attempt to connect.
	connectTimeout = 5 * time.Minute
	// reconnectPause is the pause between two attempts to connect after a start.
	reconnectPause = 5 * time.Second
)

// connection is the HSMs of a connected custom key store.
type connection struct {
	ClusterHSM
	cluster Cluster
	quota   *rate.Limiter // nil: none
}

// newConnection connects with a cluster, whose quota begins full.
func newConnection(c Cluster, hsm ClusterHSM) *connection {
	made := &connection{ClusterHSM: hsm, cluster: c}
	if n := c.RequestsPerSecond(); n > 0 {
		made.quota = rate.NewLimiter(rate.Limit(n), n)
	}
	return made
}

// active counts the HSMs that take requests.
func (c *connection) active() (n int) {
	for _, s := range c.Describe() {
		if s.State == hsmpool.Ready {
			n++
		}
	}
	return n
}

// ConnectCustomKeyStore begins to connect a custom key store; how that ends,
// DescribeCustomKeyStores tells. One that is connected, or about to be, stays so.
func (k *Keystore) ConnectCustomKeyStore(ctx context.Context, req *kmsv1.ConnectCustomKeyStoreRequest) (*kmsv1.ConnectCustomKeyStoreResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_ConnectCustomKeyStore_FullMethodName, req, plan[*kmsv1.ConnectCustomKeyStoreResponse]{
		targets: on(k.byStore(req.GetCustomKeyStoreId())),
		check: onStore(func(s *customStore) error {
			if state := k.connectionState(s); state == failed || state == disconnecting {
				return invalidStoreState(s, state)
			}
			return nil
		}),
		change: changeOfStore,
		run: func(ctx context.Context, p *proof) (*kmsv1.ConnectCustomKeyStoreResponse, error) {
			s := p.targets[0].store
			if k.connectionState(s) != disconnected {
				return new(kmsv1.ConnectCustomKeyStoreResponse), nil
			}
			r := s.copyRecord()
			r.State = connected.Enum()
			wanted, err := k.writeStore(ctx, p, r, s.revision)
			if err != nil {
				return nil, err
			}
			k.connect(wanted, k.dialOnce)
			return new(kmsv1.ConnectCustomKeyStoreResponse), nil
		},
	})
}

// DisconnectCustomKeyStore begins to disconnect a custom key store. From now on its
// keys are unavailable; requests in flight are answered.
func (k *Keystore) DisconnectCustomKeyStore(ctx context.Context, req *kmsv1.DisconnectCustomKeyStoreRequest) (*kmsv1.DisconnectCustomKeyStoreResponse, error) {
	return perform(ctx, k, kmsv1.KeyManagementService_DisconnectCustomKeyStore_FullMethodName, req, plan[*kmsv1.DisconnectCustomKeyStoreResponse]{
		targets: on(k.byStore(req.GetCustomKeyStoreId())),
		check: onStore(func(s *customStore) error {
			if state := k.connectionState(s); state == disconnected || state == disconnecting {
				return invalidStoreState(s, state)
			}
			return nil
		}),
		change: changeOfStore,
		run: func(ctx context.Context, p *proof) (*kmsv1.DisconnectCustomKeyStoreResponse, error) {
			s := p.targets[0].store
			r := s.copyRecord()
			r.State, r.ErrorCode = disconnected.Enum(), nil
			if _, err := k.writeStore(ctx, p, r, s.revision); err != nil {
				return nil, err
			}
			k.connections.Disconnect(s.id, func(err error) { k.reportDisconnected(s, err) })
			return new(kmsv1.DisconnectCustomKeyStoreResponse), nil
		},
	})
}

func (k *Keystore) reportDisconnected(s *customStore, err error) {
	if err != nil {
		k.log.Warn("a custom key store is disconnected, but not in order", "custom_key_store_id", s.id, "error", err)
		return
	}
	k.log.Info("a custom key store is disconnected", "custom_key_store_id", s.id)
}

// reconnect connects the stores that were connected when the service stopped. A
// cluster that is away for a while is waited for.
func (k *Keystore) reconnect() {
	stores, _ := k.view.storePage("", maxStores)
	for _, s := range stores {
		if s.record.GetState() == connected {
			k.connect(s, k.dialPatiently)
		}
	}
}

// connect begins to connect a store, and writes down when that has failed.
func (k *Keystore) connect(s *customStore, dial func(context.Context, *customStore) (*connection, error)) {
	k.connections.Connect(s.id, func(ctx context.Context) (*connection, error) { return dial(ctx, s) }, func(err error) {
		about := []any{"custom_key_store_id", s.id, "name", s.record.GetName(), "cluster_id", s.record.GetClusterId()}
		switch {
		case err == nil:
			k.log.Info("a custom key store is connected", about...)
		case givenUp(err):
		default:
			code := connectionErrorCode(err)
			k.log.Error("a custom key store could not be connected; disconnect it, repair what is wrong, and connect it again",
				append(about, "connection_error_code", describe.WireName(code), "error", err)...)
			k.connectionFailed(s, code)
		}
	})
}

// dialPatiently tries to connect until that succeeds, or fails in a way that an
// operator has to mend. One HSM is enough: the keys are in use.
func (k *Keystore) dialPatiently(ctx context.Context, s *customStore) (*connection, error) {
	for {
		c, err := k.dial(ctx, s)
		if err == nil || !passing(err) {
			return c, err
		}
		k.log.Warn("a custom key store cannot be connected yet", "custom_key_store_id", s.id, "cluster_id", s.record.GetClusterId(), "error", err)
		select {
		case <-time.After(reconnectPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// errNoCluster says that the configuration has no cluster of a store's.
var errNoCluster = errors.New("the configuration has no such cluster")

// errTooFewHSMs says that fewer HSMs of a cluster came up than a key store needs.
var errTooFewHSMs = errors.New("too few HSMs of the cluster are active")

// dialOnce connects a store with its cluster, of which enough HSMs have to come up.
func (k *Keystore) dialOnce(ctx context.Context, s *customStore) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := k.dial(ctx, s)
	if err != nil {
		return nil, err
	}
	n := c.cluster.MinActive()
	if err := c.Await(ctx, n); err != nil {
		ended, cancel := context.WithCancel(ctx)
		cancel() // nobody uses it
		_ = c.Close(ended)
		return nil, fmt.Errorf("%w, and %d are needed (min_active_hsms): %w", errTooFewHSMs, n, err)
	}
	return c, nil
}

// dial connects a store with its cluster: one login at each HSM.
func (k *Keystore) dial(ctx context.Context, s *customStore) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c := k.cluster(s.record.GetClusterId())
	if c == nil {
		return nil, fmt.Errorf("cluster %s: %w", s.record.GetClusterId(), errNoCluster)
	}
	if err := k.available(""); err != nil {
		return nil, fmt.Errorf("decrypting the password: %w", err)
	}
	p := newProof(k, uuid.NewString())
	p.grant(nil)
	password, err := p.openPassword(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("decrypting the password: %w", ofDefaultHSM(err))
	}
	defer clear(password)
	hsm, err := c.Connect(ctx, password)
	if err != nil {
		return nil, err
	}
	return newConnection(c, hsm), nil
}

// ofDefaultHSM turns the error of a default HSM that does not serve, for now or until an
// operator has acted, into errHSMAway. Other errors stay what they are.
func ofDefaultHSM(err error) error {
	var e *hsmpool.Error
	if passing(err) || errors.As(err, &e) && e.Class == hsmpool.Operator {
		return fmt.Errorf("%w: %w", errHSMAway, err)
	}
	return err
}

// givenUp says whether an attempt to connect has ended because nobody wanted it any
// more, which is no failure of the store. A login that was refused is one nevertheless:
// the next start is not to try it again.
func givenUp(err error) bool {
	if errors.Is(err, context.Canceled) {
		return true
	}
	var e *hsmpool.Error
	return errors.Is(err, connect.ErrGivenUp) && (!errors.As(err, &e) || passing(err))
}

// connectionFailed writes down why a store could not be connected.
func (k *Keystore) connectionFailed(s *customStore, code kmsv1.ConnectionErrorCodeType) {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	err := k.writeFailure(ctx, s, code)
	if err != nil {
		k.log.Error("the failure of a connection could not be written down: the custom key store looks as if it were being connected",
			"custom_key_store_id", s.id, "error", err)
	}
}

// writeFailure writes down that a store could not be connected as it was tried. If it
// was disconnected meanwhile, and perhaps connected again, that is over.
func (k *Keystore) writeFailure(ctx context.Context, tried *customStore, code kmsv1.ConnectionErrorCodeType) error {
	held, err := k.changes.begin(ctx, k.scope.storePath(tried.id))
	if err != nil {
		return err
	}
	defer held.end()
	s := k.view.customStore(tried.id)
	if s == nil || s.revision != tried.revision {
		return nil
	}
	r := s.copyRecord()
	r.State, r.ErrorCode = failed.Enum(), &code
	_, err = replaceValue(ctx, k.store, k.scope.storePath(s.id), r, s.revision)
	return err
}

// passing says whether a failure to connect may pass by itself: an HSM that does
// not answer. A login that was refused is none, since HSMs lock their users; that of the
// default key store, which is to decrypt the password, is no failure of the store's.
func passing(err error) bool {
	if errors.Is(err, errHSMAway) {
		return true
	}
	var e *hsmpool.Error
	return errors.As(err, &e) && (e.Class == hsmpool.Unavailable || e.Class == hsmpool.Timeout || e.Class == hsmpool.Busy)
}

// connectionErrorCode names a failure to connect as AWS does.
func connectionErrorCode(err error) kmsv1.ConnectionErrorCodeType {
	var e *hsmpool.Error
	isHSMs := errors.As(err, &e)
	switch {
	case errors.Is(err, errTooFewHSMs) && (!isHSMs || e.Class != hsmpool.Operator):
		return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INSUFFICIENT_CLOUDHSM_HSMS
	case errors.Is(err, errNoCluster), errors.Is(err, hsmpool.ErrNoToken):
		return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_CLUSTER_NOT_FOUND
	case !isHSMs, errors.Is(err, errHSMAway):
		return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INTERNAL_ERROR
	}
	switch ckr.RV(e.RV) {
	case ckr.PINIncorrect, ckr.PINInvalid, ckr.PINLenRange, ckr.PINExpired:
		return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INVALID_CREDENTIALS
	case ckr.PINLocked:
		return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOCKED_OUT
	case ckr.UserPINNotInitialized:
		return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_NOT_FOUND
	case ckr.UserAlreadyLoggedIn:
		return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_USER_LOGGED_IN
	}
	if passing(err) {
		return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_NETWORK_ERRORS
	}
	return kmsv1.ConnectionErrorCodeType_CONNECTION_ERROR_CODE_TYPE_INTERNAL_ERROR
}
