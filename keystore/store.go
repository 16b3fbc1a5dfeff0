package keystore

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/connect"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// The states of a custom key store's connection.
const (
	connected     = kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTED
	connecting    = kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_CONNECTING
	failed        = kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED
	disconnected  = kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_DISCONNECTED
	disconnecting = kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_DISCONNECTING
)

// customStore is a custom key store as of one revision of the metadata. It never
// changes.
type customStore struct {
	id, arn  string
	record   *storagev1.CustomKeyStoreRecord
	sealing  hsmpool.ObjectID // the key in the default HSM that seals the password
	revision uint64
}

// decodeStore reads a custom key store's record from where it stands in the
// metadata.
func decodeStore(s scope, e metadata.Entry) (*customStore, error) {
	r := new(storagev1.CustomKeyStoreRecord)
	if err := decodeValue(e.Value, r); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Key, err)
	}
	if e.Key != s.storePath(r.GetCustomKeyStoreId()) {
		return nil, fmt.Errorf("%s: the record there is that of %s", e.Key, r.GetCustomKeyStoreId())
	}
	made, err := newStore(s, r, e.Revision)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Key, err)
	}
	return made, nil
}

// newStore makes the custom key store of a record, and checks what the rest of the
// package relies on.
func newStore(s scope, r *storagev1.CustomKeyStoreRecord, revision uint64) (*customStore, error) {
	if n := len(r.GetSealingKeyId()); n != len(hsmpool.ObjectID{}) {
		return nil, fmt.Errorf("the id of the sealing key has %d bytes", n)
	}
	return &customStore{
		id: r.GetCustomKeyStoreId(), arn: s.storeARN(r.GetCustomKeyStoreId()),
		record: r, sealing: hsmpool.ObjectID(r.GetSealingKeyId()), revision: revision,
	}, nil
}

// copyRecord returns a record to change.
func (s *customStore) copyRecord() *storagev1.CustomKeyStoreRecord { return proto.CloneOf(s.record) }

// connectionState is the state of a store's connection as clients see it. One that
// is to be connected and is not yet, e.g. just after a start, is connecting.
func (k *Keystore) connectionState(s *customStore) kmsv1.ConnectionStateType {
	switch k.connections.State(s.id) {
	case connect.Connecting:
		return connecting
	case connect.Connected:
		return connected
	case connect.Disconnecting:
		return disconnecting
	}
	if s.record.GetState() == connected {
		return connecting
	}
	return s.record.GetState()
}

// byStore finds a custom key store by its id.
func (k *Keystore) byStore(id string) func() target {
	return func() target {
		t := target{store: k.view.customStore(id), isStore: true, resource: "*", path: k.scope.storePath(id)}
		if t.store == nil {
			t.err = errorf(annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NOT_FOUND, "Custom key store %s does not exist.", id)
		}
		return t
	}
}

// allStores stands for the names and clusters of all custom key stores of the
// account, of which each may be used once: whoever gives one away holds it.
func (k *Keystore) allStores() target {
	return target{isStore: true, resource: "*", path: k.scope.globalPrefix() + "stores"}
}

// customStore returns a custom key store, or nil.
func (v *view) customStore(id string) *customStore {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.stores.values[id]
}

// storeIDs returns the ids of all custom key stores, in order.
func (v *view) storeIDs() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.stores.order)
}

// storePage returns up to limit custom key stores whose ids come after a given
// one, and whether there are more.
func (v *view) storePage(after string, limit int) (stores []*customStore, more bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.stores.page(after, limit)
}

// storeNamed returns the custom key store of a name, or nil.
func (v *view) storeNamed(name string) *customStore {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, s := range v.stores.values {
		if s.record.GetName() == name {
			return s
		}
	}
	return nil
}

// keysIn counts the keys of a custom key store, whatever their state.
func (v *view) keysIn(store string) (n int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, k := range v.keys.values {
		if k.store() == store {
			n++
		}
	}
	return n
}

func (v *view) decodeStore(e metadata.Event) (func(*contents), error) {
	if e.Kind == metadata.Delete {
		id := strings.TrimPrefix(e.Entry.Key, v.scope.storePrefix())
		return func(c *contents) { c.stores.remove(id) }, nil
	}
	s, err := decodeStore(v.scope, e.Entry)
	if err != nil {
		return nil, err
	}
	return func(c *contents) { c.stores.put(s.id, s) }, nil
}
