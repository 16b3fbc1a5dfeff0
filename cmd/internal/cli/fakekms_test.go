package cli_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/internal/devpki"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

const (
	fakeKeyID  = "11111111-2222-3333-4444-555555555555"
	fakeKeyARN = "arn:aws:kms:us-east-1:000000000000:key/" + fakeKeyID
	requestID  = "99999999-8888-7777-6666-555555555555"
)

// startFake serves a KMS without cryptography on a loopback port, with the TLS
// of a real one, until the test ends. It returns the variables that connect.
func startFake(t *testing.T) map[string]string {
	t.Helper()
	return startFakeOperator(t, fakeOperator{})
}

// startFakeOperator is startFake with an operator service to choose.
func startFakeOperator(t *testing.T, operator fakeOperator) map[string]string {
	t.Helper()
	dir := t.TempDir()
	ca, err := devpki.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	serverPair, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	clientPair, err := ca.Client("alice", &url.URL{Scheme: "spiffe", Host: "test", Path: "/alice"})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.Creds(fakeTLS(t, serverPair, ca.File)), grpc.UnaryInterceptor(fakeUse))
	kmsv1.RegisterKeyManagementServiceServer(srv, fakeKMS{stores: &fakeStores{described: map[string]int{}}})
	operatorv1.RegisterOperatorServiceServer(srv, operator)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before it had begun
			t.Error(err)
		}
	})
	return map[string]string{
		"STRONGROOM_ADDRESS":     listener.Addr().String(),
		"STRONGROOM_CA_CERT":     ca.File,
		"STRONGROOM_CLIENT_CERT": clientPair.Cert,
		"STRONGROOM_CLIENT_KEY":  clientPair.Key,
	}
}

func fakeTLS(t *testing.T, pair devpki.Pair, ca string) credentials.TransportCredentials {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(pem)
	return credentials.NewTLS(&tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientCAs:    clients,
		ClientAuth:   tls.RequireAndVerifyClientCert,
	})
}

// refuse is an error as the real server makes it.
func refuse(code codes.Code, name, format string, args ...any) error {
	s, err := status.New(code, fmt.Sprintf(format, args...)).WithDetails(&errdetails.ErrorInfo{
		Reason: name, Domain: "kms.amazonaws.com", Metadata: map[string]string{"request_id": requestID},
	})
	if err != nil {
		return err
	}
	return s.Err()
}

// fakeUse does no dry run, and shows the grant tokens of one that has any.
func fakeUse(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	tokens, _ := req.(interface{ GetGrantTokens() []string })
	dry, ok := req.(interface{ GetDryRun() bool })
	switch {
	case tokens != nil && slices.Contains(tokens.GetGrantTokens(), "show"):
		return nil, refuse(codes.InvalidArgument, "InvalidGrantTokenException", "%q", tokens.GetGrantTokens())
	case ok && dry.GetDryRun():
		return nil, refuse(codes.FailedPrecondition, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	}
	return handler(ctx, req)
}

// fakeKMS has one key. What it calls ciphertext is the byte 1, the encryption
// context and the plaintext.
type fakeKMS struct {
	kmsv1.UnimplementedKeyManagementServiceServer
	stores *fakeStores
}

func seal(plaintext []byte, pairs map[string]string) []byte {
	return slices.Concat([]byte{1}, header(pairs), plaintext)
}

func header(pairs map[string]string) []byte {
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(pairs)) {
		b = fmt.Appendf(b, "%s=%s;", k, pairs[k])
	}
	return append(b, '|')
}

// rsaMark is what a ciphertext of an RSA key ends in.
func rsaMark(a *kmsv1.EncryptionAlgorithmSpec) []byte {
	if a == nil || *a == kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SYMMETRIC_DEFAULT {
		return nil
	}
	return []byte(a.String())
}

func checkKey(id string) error {
	if id != fakeKeyID && id != fakeKeyARN {
		return refuse(codes.NotFound, "NotFoundException", "Key '%s' does not exist", id)
	}
	return nil
}

func fakeMetadata(description *string) *kmsv1.KeyMetadata {
	return &kmsv1.KeyMetadata{
		KeyId:        new(fakeKeyID),
		Arn:          new(fakeKeyARN),
		Description:  description,
		CreationDate: timestamppb.New(time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)),
		KeyState:     kmsv1.KeyState_KEY_STATE_ENABLED.Enum(),
		KeySpec:      kmsv1.KeySpec_KEY_SPEC_SYMMETRIC_DEFAULT.Enum(),
	}
}

// CreateKey describes a key with tags by what it was made with.
func (fakeKMS) CreateKey(_ context.Context, r *kmsv1.CreateKeyRequest) (*kmsv1.CreateKeyResponse, error) {
	answer := fakeMetadata(r.Description)
	if r.KeySpec != nil {
		answer.KeySpec, answer.KeyUsage, answer.Origin = r.KeySpec, r.KeyUsage, r.Origin
	}
	if r.CustomKeyStoreId != nil {
		answer.CustomKeyStoreId, answer.Origin = r.CustomKeyStoreId, r.Origin
	}
	if n := len(r.GetTags()); n > 0 {
		answer.Description = new(fmt.Sprintf("%d tags, policy %s, bypass %v", n, r.GetPolicy(), r.GetBypassPolicyLockoutSafetyCheck()))
	}
	return &kmsv1.CreateKeyResponse{KeyMetadata: answer}, nil
}

func (fakeKMS) DescribeKey(_ context.Context, r *kmsv1.DescribeKeyRequest) (*kmsv1.DescribeKeyResponse, error) {
	described := fakeMetadata(nil)
	described.ValidTo = fakeTime()
	return &kmsv1.DescribeKeyResponse{KeyMetadata: described}, checkKey(r.GetKeyId())
}

// ListKeys answers three keys, one to a page.
func (fakeKMS) ListKeys(_ context.Context, r *kmsv1.ListKeysRequest) (*kmsv1.ListKeysResponse, error) {
	n := len(r.GetMarker())
	return &kmsv1.ListKeysResponse{
		Keys:       []*kmsv1.KeyListEntry{{KeyId: new(fmt.Sprintf("key-%d", n)), KeyArn: new(fmt.Sprintf("arn:key-%d", n))}},
		NextMarker: new(r.GetMarker() + "m"),
		Truncated:  new(n < 2),
	}, nil
}

func (fakeKMS) Encrypt(_ context.Context, r *kmsv1.EncryptRequest) (*kmsv1.EncryptResponse, error) {
	blob := seal(r.GetPlaintext(), r.GetEncryptionContext())
	return &kmsv1.EncryptResponse{CiphertextBlob: slices.Concat(blob, rsaMark(r.EncryptionAlgorithm))}, checkKey(r.GetKeyId())
}

func (fakeKMS) Decrypt(_ context.Context, r *kmsv1.DecryptRequest) (*kmsv1.DecryptResponse, error) {
	plaintext, ok := bytes.CutPrefix(r.GetCiphertextBlob(), seal(nil, r.GetEncryptionContext()))
	plaintext, marked := bytes.CutSuffix(plaintext, rsaMark(r.EncryptionAlgorithm))
	if !ok || !marked {
		return nil, refuse(codes.InvalidArgument, "InvalidCiphertextException", "The ciphertext or the encryption context was altered.")
	}
	if r.KeyId != nil && checkKey(r.GetKeyId()) != nil {
		return nil, refuse(codes.InvalidArgument, "IncorrectKeyException", "The ciphertext is of another key.")
	}
	return &kmsv1.DecryptResponse{Plaintext: plaintext}, nil
}

func (fakeKMS) GenerateDataKey(_ context.Context, r *kmsv1.GenerateDataKeyRequest) (*kmsv1.GenerateDataKeyResponse, error) {
	n := int(r.GetNumberOfBytes())
	switch r.GetKeySpec() {
	case kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256:
		n = 32
	case kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_128:
		n = 16
	}
	key := bytes.Repeat([]byte{7}, n)
	return &kmsv1.GenerateDataKeyResponse{
		KeyId: new(fakeKeyARN), Plaintext: key, CiphertextBlob: seal(key, r.GetEncryptionContext()),
	}, checkKey(r.GetKeyId())
}

func (fakeKMS) GenerateDataKeyWithoutPlaintext(_ context.Context, r *kmsv1.GenerateDataKeyWithoutPlaintextRequest) (*kmsv1.GenerateDataKeyWithoutPlaintextResponse, error) {
	return &kmsv1.GenerateDataKeyWithoutPlaintextResponse{
		KeyId: new(fakeKeyARN), CiphertextBlob: []byte{1},
	}, checkKey(r.GetKeyId())
}

func (fakeKMS) GenerateRandom(_ context.Context, r *kmsv1.GenerateRandomRequest) (*kmsv1.GenerateRandomResponse, error) {
	answer := &kmsv1.GenerateRandomResponse{Plaintext: make([]byte, r.GetNumberOfBytes())}
	if r.CustomKeyStoreId != nil {
		return answer, checkStore(r.GetCustomKeyStoreId())
	}
	return answer, nil
}

// fakeOperator has trails of numbered records, as many as are asked for.
type fakeOperator struct {
	operatorv1.UnimplementedOperatorServiceServer
	orphans *operatorv1.ListHsmOrphansResponse
	checks  []*operatorv1.HsmUnlockCheck
	audit   *operatorv1.DescribeAuditResponse
}

func (fakeOperator) StreamEvents(r *operatorv1.StreamEventsRequest, s grpc.ServerStreamingServer[operatorv1.StreamEventsResponse]) error {
	if r.Selector != nil {
		return s.Send(&operatorv1.StreamEventsResponse{EventJson: new(asked(r.GetSelector()))})
	}
	for i := range records(r.Last) {
		text := fmt.Sprintf(`{"eventTime":"2026-11-23T01:02:0%dZ","eventName":"Encrypt","requestID":"r-%d"}`, i, i)
		if err := s.Send(&operatorv1.StreamEventsResponse{EventJson: &text}); err != nil {
			return err
		}
	}
	if r.GetFollow() {
		<-s.Context().Done()
	}
	return nil
}

func (fakeOperator) StreamHsmLog(r *operatorv1.StreamHsmLogRequest, s grpc.ServerStreamingServer[operatorv1.StreamHsmLogResponse]) error {
	if r.Selector != nil {
		return s.Send(&operatorv1.StreamHsmLogResponse{EntryJson: new(asked(r.GetSelector()))})
	}
	for i := range records(r.Last) {
		text := fmt.Sprintf("Sequence No : 0x%x\nOpcode : CN_LOGIN (0xd)\n", i)
		entry := fmt.Sprintf(`{"hsm":%q,"sequenceNo":%d}`, r.GetHsmId(), i)
		id := cmp.Or(r.GetHsmId(), []string{"hsm-a", "hsm-a", "hsm-b"}[i])
		if err := s.Send(&operatorv1.StreamHsmLogResponse{HsmId: &id, Text: &text, EntryJson: &entry}); err != nil {
			return err
		}
	}
	return nil
}

// asked is the one record that answers a selector: what was asked for.
func asked(selector proto.Message) string {
	text, err := protojson.Marshal(selector)
	var compact bytes.Buffer // protojson's spaces differ from build to build
	if err = errors.Join(err, json.Compact(&compact, text)); err != nil {
		return err.Error()
	}
	return compact.String()
}

// records is how many records a request gets, of the three that there are.
func records(last *int32) int {
	if last == nil {
		return 3
	}
	return int(min(*last, 3))
}

func (fakeOperator) DescribeHsms(_ context.Context, r *operatorv1.DescribeHsmsRequest) (*operatorv1.DescribeHsmsResponse, error) {
	hsm := &operatorv1.HsmDescription{
		HsmId:        new("hsm-abcdefghijk"),
		TokenLabel:   new("test   "),
		TokenSerial:  new("0123"),
		State:        operatorv1.HsmState_HSM_STATE_STOPPED.Enum(),
		Reason:       new("the PIN is wrong: correct hsm.pin and restart"),
		Warning:      new("look into it"),
		WorkerPid:    new(int32(42)),
		InFlight:     new(uint32(3)),
		Restarts:     new(uint32(1)),
		ReadySince:   timestamppb.New(time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)),
		Manufacturer: new("SoftHSM project"),
	}
	if r.GetCapabilities() {
		hsm.Capabilities = []*operatorv1.HsmCapability{
			{KeyType: new("RSA-2048"), Use: new("encrypt"), Algorithm: new("RSA-OAEP-SHA-256"), Mechanism: new("CKM_RSA_PKCS_OAEP"), Means: new("token and worker")},
			{KeyType: new("Ed25519"), Algorithm: new("KEY-PAIR"), Mechanism: new("CKM_AES_KEY_WRAP_PAD"), Missing: new("CKR_KEY_NOT_WRAPPABLE")},
		}
	}
	return &operatorv1.DescribeHsmsResponse{Hsms: []*operatorv1.HsmDescription{hsm}}, nil
}

func (f fakeOperator) ListHsmOrphans(context.Context, *operatorv1.ListHsmOrphansRequest) (*operatorv1.ListHsmOrphansResponse, error) {
	return f.orphans, nil
}

// CheckHsmUnlock answers the checks of the HSM that it is asked for.
func (f fakeOperator) CheckHsmUnlock(_ context.Context, r *operatorv1.CheckHsmUnlockRequest) (*operatorv1.CheckHsmUnlockResponse, error) {
	answer := new(operatorv1.CheckHsmUnlockResponse)
	for _, c := range f.checks {
		if r.GetCustomKeyStoreId() == "" && (r.HsmId == nil || r.GetHsmId() == c.GetHsmId()) {
			answer.Checks = append(answer.Checks, c)
		}
	}
	return answer, nil
}

// SimulatePolicy allows everything to alice, and tells what it was asked.
func (fakeOperator) SimulatePolicy(_ context.Context, r *operatorv1.SimulatePolicyRequest) (*operatorv1.SimulatePolicyResponse, error) {
	asked := []string{fmt.Sprintf("%s %s %v %v", r.GetAction(), r.GetKeyId(), r.GetEncryptionContext(), r.GetGrantTokens())}
	for _, c := range r.GetContext() {
		asked = append(asked, fmt.Sprintf("%s %q", c.GetKey(), c.GetValues()))
	}
	for _, draft := range append([]string{r.GetKeyPolicy()}, r.GetIdentityPolicies()...) {
		asked = append(asked, fmt.Sprintf("%q", draft))
	}
	if r.GetPrincipal() == "arn:alice" {
		return &operatorv1.SimulatePolicyResponse{Allowed: new(true), DecidedBy: new("grant g1"), Explanation: asked}, nil
	}
	return &operatorv1.SimulatePolicyResponse{
		Allowed: new(false), Reason: new("with an explicit deny in a resource-based policy"), DecidedBy: new("key policy, statement 2 (Off)"), Explanation: asked,
	}, nil
}
