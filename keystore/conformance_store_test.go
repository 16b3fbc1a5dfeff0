package keystore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const connectionStates = "Developer Guide, Connect and disconnect a CloudHSM key store"

// storesByState is a store in each state of its connection.
type storesByState struct {
	conformance
	ids      map[kmsv1.ConnectionStateType]string
	clusters map[kmsv1.ConnectionStateType]Cluster
}

// newStores makes a store in each state.
func newStores(t *testing.T) *storesByState {
	t.Helper()
	s := newService(t)
	s.initToken()
	c := &storesByState{
		conformance: conformance{service: s, count: map[string]int{}},
		ids:         map[kmsv1.ConnectionStateType]string{}, clusters: map[kmsv1.ConnectionStateType]Cluster{},
	}
	free := make(chan struct{})
	for state, dial := range map[kmsv1.ConnectionStateType]func(context.Context) (ClusterHSM, error){
		disconnected: nil,
		connecting:   func(ctx context.Context) (ClusterHSM, error) { <-ctx.Done(); return nil, ctx.Err() },
		connected:    func(context.Context) (ClusterHSM, error) { return &borrowedHSM{HSM: s.pool}, nil },
		disconnecting: func(context.Context) (ClusterHSM, error) {
			return &borrowedHSM{HSM: s.pool, close: func(context.Context) { <-free }}, nil
		},
		failed: func(context.Context) (ClusterHSM, error) {
			return nil, &hsmpool.Error{Class: hsmpool.Operator, Function: "C_Login", RV: uint32(ckr.PINIncorrect)}
		},
	} {
		c.clusters[state] = &scriptedCluster{awayCluster{"cluster-" + strings.Repeat(string('a'+rune(state)), 11), newAnchor(t)}, dial}
		s.with = append(s.with, c.clusters[state])
	}
	s.with = append(s.with, awayClusters()...)
	s.start()
	t.Cleanup(s.stop)
	t.Cleanup(func() { close(free) })
	for state, cluster := range c.clusters {
		req := createRequest(cluster)
		req.CustomKeyStoreName = new(describe.WireName(state))
		res, err := s.CreateCustomKeyStore(s.as(admin), req)
		s.must(err)
		c.bring(res.GetCustomKeyStoreId(), state)
	}
	return c
}

// bring brings a new store into a state.
func (c *storesByState) bring(id string, state kmsv1.ConnectionStateType) {
	c.t.Helper()
	c.ids[state] = id
	if state != disconnected {
		c.connectStore(id)
	}
	if state == disconnecting {
		c.awaitState(id, connected)
		c.disconnectStore(id)
	}
	c.awaitState(id, state)
}

// ofStore is a request about a store, and the states in which it is answered.
type ofStore struct {
	name    string
	request func(id string, state kmsv1.ConnectionStateType) proto.Message
	in      []kmsv1.ConnectionStateType
}

// storeTable is the table of operations and states of connectionStates; what changes a
// store comes last.
func (c *storesByState) storeTable() []ofStore {
	update := func(fill func(*kmsv1.UpdateCustomKeyStoreRequest, kmsv1.ConnectionStateType)) func(string, kmsv1.ConnectionStateType) proto.Message {
		return func(id string, state kmsv1.ConnectionStateType) proto.Message {
			req := &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: &id}
			fill(req, state)
			return req
		}
	}
	return []ofStore{
		{"described", func(id string, _ kmsv1.ConnectionStateType) proto.Message {
			return &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: &id}
		}, []kmsv1.ConnectionStateType{disconnected, connecting, connected, disconnecting, failed}},
		{"random bytes of", func(id string, _ kmsv1.ConnectionStateType) proto.Message {
			return &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(1)), CustomKeyStoreId: &id}
		}, []kmsv1.ConnectionStateType{connected}},
		{"a key in", func(id string, _ kmsv1.ConnectionStateType) proto.Message { return inStoreRequest(id) }, []kmsv1.ConnectionStateType{connected}},
		{"the name of", update(func(r *kmsv1.UpdateCustomKeyStoreRequest, s kmsv1.ConnectionStateType) {
			r.NewCustomKeyStoreName = new(describe.WireName(s))
		}), []kmsv1.ConnectionStateType{disconnected, connected}},
		{"the password of", update(func(r *kmsv1.UpdateCustomKeyStoreRequest, _ kmsv1.ConnectionStateType) {
			r.KeyStorePassword = new(clusterPIN)
		}), []kmsv1.ConnectionStateType{disconnected}},
		{"the cluster of", update(func(r *kmsv1.UpdateCustomKeyStoreRequest, s kmsv1.ConnectionStateType) {
			r.CloudHsmClusterId = new(c.clusters[s].ID())
		}), []kmsv1.ConnectionStateType{disconnected}},
		{"name and password of", update(func(r *kmsv1.UpdateCustomKeyStoreRequest, s kmsv1.ConnectionStateType) {
			r.NewCustomKeyStoreName, r.KeyStorePassword = new(describe.WireName(s)), new(clusterPIN)
		}), []kmsv1.ConnectionStateType{disconnected}},
	}
}

// stateRows are each request of the table about a store in each state.
func (c *storesByState) stateRows() (rows []conformanceRow) {
	for _, o := range c.storeTable() {
		for state, id := range c.ids {
			row := conformanceRow{name: o.name + " one that is " + describe.WireName(state), caller: admin, request: o.request(id, state)}
			if !slices.Contains(o.in, state) {
				row.want = badStoreState(id, state)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func badStoreState(id string, state kmsv1.ConnectionStateType) answer {
	said := fmt.Sprintf("The custom key store %s is %s, which is not valid for this operation.", id, describe.WireName(state))
	if state == failed || state == connected {
		said += " Disconnect it first."
	}
	return answer{annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_INVALID_STATE, said, connectionStates}
}

// changeRows connect, disconnect and delete, the refused ones first.
func (c *storesByState) changeRows() (rows []conformanceRow) {
	row := func(state kmsv1.ConnectionStateType, want answer, request func(id *string) proto.Message) {
		rows = append(rows, conformanceRow{name: "one that is " + describe.WireName(state), caller: admin, want: want, request: request(new(c.ids[state]))})
	}
	connect := func(id *string) proto.Message { return &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: id} }
	disconnect := func(id *string) proto.Message { return &kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: id} }
	remove := func(id *string) proto.Message { return &kmsv1.DeleteCustomKeyStoreRequest{CustomKeyStoreId: id} }
	for _, state := range []kmsv1.ConnectionStateType{failed, disconnecting} {
		row(state, badStoreState(c.ids[state], state), connect)
	}
	for _, state := range []kmsv1.ConnectionStateType{disconnected, disconnecting} {
		row(state, badStoreState(c.ids[state], state), disconnect)
	}
	for _, state := range []kmsv1.ConnectionStateType{connecting, connected, disconnecting, failed} {
		row(state, badStoreState(c.ids[state], state), remove)
	}
	for _, state := range []kmsv1.ConnectionStateType{connecting, connected} {
		row(state, answer{}, connect)
	}
	for _, state := range []kmsv1.ConnectionStateType{connecting, connected, failed} {
		row(state, answer{}, disconnect)
	}
	row(disconnected, answer{}, remove)
	return rows
}

// faultRows are of stores that are not there, of members that do not fit, and of requests
// with two faults.
func (c *storesByState) faultRows() []conformanceRow {
	const gone = "cks-1234567890abcdef0"
	noSuch := answer{noStore, "Custom key store " + gone + " does not exist.", apiReference}
	spare := awayClusters()[0]
	create := func(change func(*kmsv1.CreateCustomKeyStoreRequest)) proto.Message {
		req := createRequest(spare)
		change(req)
		return req
	}
	inUse := func(cluster string) answer {
		return answer{annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_IN_USE, "The cluster " + cluster + ", or one that is related to it, is that of another custom key store.", inferred}
	}
	nameTaken := answer{annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NAME_IN_USE, "Another custom key store has the name CONNECTED.", inferred}
	other := c.clusters[connected].ID()
	return []conformanceRow{
		{name: "unknown store", caller: app, want: noSuch, request: &kmsv1.GenerateRandomRequest{NumberOfBytes: new(int32(1)), CustomKeyStoreId: new(gone)}},
		{name: "unknown store", caller: admin, want: noSuch, request: inStoreRequest(gone)},
		{name: "unknown store, and denied", caller: nobody, want: deniedOn("*"), request: inStoreRequest(gone)},
		{name: "unknown id", caller: admin, want: noSuch, request: &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: new(gone)}},
		{name: "unknown name", caller: admin, request: &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreName: new("gone")},
			want: answer{noStore, "Custom key store gone does not exist.", apiReference}},
		{name: "id and name", caller: admin, request: &kmsv1.DescribeCustomKeyStoresRequest{CustomKeyStoreId: new(gone), CustomKeyStoreName: new("gone")},
			want: answer{invalid, "CustomKeyStoreId and CustomKeyStoreName cannot be given together.", inferred}},
		{name: "denied", caller: app, request: &kmsv1.DescribeCustomKeyStoresRequest{}, want: deniedTo(app)},
		{name: "denied, unknown store", caller: app, request: &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: new(gone)}, want: deniedTo(app)},
		{name: "nothing to change", caller: admin, request: &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: new(c.ids[disconnected])},
			want: answer{invalid, "NewCustomKeyStoreName, KeyStorePassword or CloudHsmClusterId is required.", inferred}},
		{name: "the name of another store", caller: admin, want: nameTaken,
			request: &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: new(c.ids[disconnected]), NewCustomKeyStoreName: new("CONNECTED")}},
		{name: "unknown cluster", caller: admin, request: &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: new(c.ids[disconnected]), CloudHsmClusterId: new("cluster-22222222222")},
			want: answer{annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_NOT_FOUND, "The configuration has no cluster cluster-22222222222.", inferred}},
		{name: "cluster of another origin", caller: admin, request: &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: new(c.ids[disconnected]), CloudHsmClusterId: new(other)},
			want: answer{annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_NOT_RELATED,
				"The cluster " + other + " does not have the trust anchor certificate of the custom key store " + c.ids[disconnected] + ".", inferred}},
		{name: "wrong state, and the name of another store", caller: admin, want: badStoreState(c.ids[failed], failed),
			request: &kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: new(c.ids[failed]), NewCustomKeyStoreName: new("CONNECTED")}},
		{name: "name in use, and cluster in use", caller: admin, want: nameTaken, request: create(func(r *kmsv1.CreateCustomKeyStoreRequest) {
			r.CustomKeyStoreName, r.CloudHsmClusterId = new("CONNECTED"), new(c.clusters[failed].ID())
		})},
		{name: "cluster in use, and another's certificate", caller: admin, want: inUse(other),
			request: create(func(r *kmsv1.CreateCustomKeyStoreRequest) { r.CloudHsmClusterId = new(other) })},
		{name: "another certificate", caller: admin, request: create(func(r *kmsv1.CreateCustomKeyStoreRequest) {
			r.TrustAnchorCertificate = new(c.clusters[failed].TrustAnchor())
		}),
			want: answer{annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_TRUST_ANCHOR, "TrustAnchorCertificate is not the trust anchor certificate of the cluster " + spare.ID() + ".", inferred}},
		{name: "external", caller: admin, request: create(func(r *kmsv1.CreateCustomKeyStoreRequest) {
			r.CustomKeyStoreType = kmsv1.CustomKeyStoreType_CUSTOM_KEY_STORE_TYPE_EXTERNAL_KEY_STORE.Enum()
		}), want: answer{invalid, "CustomKeyStoreType EXTERNAL_KEY_STORE is not supported.", inferred}},
	}
}

// keyRows are of what may be asked of a key in a store.
func (c *storesByState) keyRows() []conformanceRow {
	key := func(change func(*kmsv1.CreateKeyRequest)) proto.Message {
		req := inStoreRequest(c.ids[connected])
		change(req)
		return req
	}
	kinds := answer{unsupported, "A custom key store has keys of KeySpec SYMMETRIC_DEFAULT and KeyUsage ENCRYPT_DECRYPT only.", inferred}
	return []conformanceRow{
		{name: "HMAC in a store", caller: admin, want: kinds, request: key(func(r *kmsv1.CreateKeyRequest) {
			r.KeySpec, r.KeyUsage = secretSpec.Enum(), generateVerifyMac.Enum()
		})},
		{name: "a curve in a store", caller: admin, want: kinds, request: key(func(r *kmsv1.CreateKeyRequest) { r.KeySpec, r.KeyUsage = curveSpec.Enum(), signVerify.Enum() })},
		{name: "multi-Region in a store", caller: admin, want: answer{unsupported, "MultiRegion keys are not supported.", inferred},
			request: key(func(r *kmsv1.CreateKeyRequest) { r.MultiRegion = new(true) })},
		{name: "AWS_KMS in a store", caller: admin, want: answer{invalid, "CustomKeyStoreId is valid with Origin AWS_CLOUDHSM only.", inferred},
			request: key(func(r *kmsv1.CreateKeyRequest) { r.Origin = nil })},
		{name: "AWS_CLOUDHSM without a store", caller: admin, want: answer{invalid, "CustomKeyStoreId is required for Origin AWS_CLOUDHSM.", inferred},
			request: &kmsv1.CreateKeyRequest{Origin: cloudHSM.Enum()}},
	}
}

// A Region has ten stores, the quota of AWS.
func TestTheEleventhCustomKeyStoreIsRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.initToken()
	for i := range maxStores + 1 {
		s.with = append(s.with, awayCluster{"cluster-" + strings.Repeat(string(rune('a'+i)), 11), newAnchor(t)})
	}
	s.start()
	t.Cleanup(s.stop)
	for i, cluster := range s.with {
		req := createRequest(cluster)
		req.CustomKeyStoreName = new(cluster.ID())
		_, err := s.CreateCustomKeyStore(s.as(admin), req)
		if i < maxStores {
			s.must(err)
			continue
		}
		expectKind(t, err, tooMuch, "There are 10 custom key stores already, and there may not be more.")
	}
}

// deniedTo is the refusal of a principal that has other permissions.
func deniedTo(principal string) answer {
	return answer{denied, "User: " + principal + " is not authorized to perform: {action} on resource: * because no identity-based policy allows the {action} action", permissions}
}

// TestConformanceOfCustomKeyStores is TestConformance of stores in every state.
func TestConformanceOfCustomKeyStores(t *testing.T) {
	t.Parallel()
	c := newStores(t)
	for _, r := range slices.Concat(c.faultRows(), c.keyRows(), c.stateRows(), c.changeRows()) {
		c.check(t, r)
	}
	total := 0
	for operation, n := range c.count {
		t.Logf("%-40s %d", operation, n)
		total += n
	}
	t.Logf("%d rows", total)
}
