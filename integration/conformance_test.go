package integration

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const unknownKey = "5c1b6f0e-1f65-4d2a-9f0b-0d5a3c1e7a42"

// refusal is a request that must fail, and how.
type refusal struct {
	name string
	as   string
	call func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, opts ...grpc.CallOption) error

	code   codes.Code
	reason string
	// mentions stands in the message: it names the thing.
	mentions string
	// event is the name of the request's event.
	event string
}

// Each refused request has AWS's error kind, a message that names the thing,
// the request's id in the header and the details, and an event with the same
// id. What leaves no event has no id either.
func TestRefusals(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	admin := dial(t, site, server, harness.Admin)
	key, other := newKey(t, admin), newKey(t, admin)
	good, err := admin.KMS.Encrypt(t.Context(), &kmsv1.EncryptRequest{
		KeyId: &key, Plaintext: []byte(plaintext), EncryptionContext: map[string]string{"a": "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range refusals(key, other, good.GetCiphertextBlob()) {
		t.Run(test.name, func(t *testing.T) {
			client := dial(t, site, server, test.as)
			var header harness.Header
			err := test.call(within(t, 10*time.Second), client.KMS, header.Option())
			expectRefusal(t, test, err, header.RequestID())
			expectRefusalEvent(t, test, only(t, eventsOf(t, admin, header.RequestID())))
		})
	}
}

func refusals(key, other string, blob []byte) []refusal {
	pairs := map[string]string{"a": "b"}
	return []refusal{
		{
			name: "certificate of no principal", as: harness.Stranger, call: listing(),
			code: codes.Unauthenticated, reason: "UnrecognizedClientException", mentions: "principal", event: "ListKeys",
		}, {
			name: "user creates a key", as: harness.User, call: creating(),
			code: codes.PermissionDenied, reason: "AccessDeniedException", mentions: harness.ARN(harness.User), event: "CreateKey",
		}, {
			name: "auditor encrypts", as: harness.Auditor, call: encrypting(key, []byte("x")),
			code: codes.PermissionDenied, reason: "AccessDeniedException", mentions: key, event: "Encrypt",
		}, {
			name: "oversize input", as: harness.User, call: encrypting(key, make([]byte, 4097)),
			code: codes.InvalidArgument, reason: "ValidationException", mentions: "4096", event: "Encrypt",
		}, {
			name: "empty input", as: harness.User, call: encrypting(key, nil),
			code: codes.InvalidArgument, reason: "ValidationException", mentions: "plaintext", event: "Encrypt",
		}, {
			name: "unknown key", as: harness.User, call: encrypting(unknownKey, []byte("x")),
			code: codes.NotFound, reason: "NotFoundException", mentions: unknownKey, event: "Encrypt",
		}, {
			name: "wrong context", as: harness.User, call: decrypting(blob, "", map[string]string{"a": "c"}),
			code: codes.InvalidArgument, reason: "InvalidCiphertextException", event: "Decrypt",
		}, {
			name: "wrong key", as: harness.User, call: decrypting(blob, other, pairs),
			code: codes.InvalidArgument, reason: "IncorrectKeyException", event: "Decrypt",
		}, {
			name: "truncated blob", as: harness.User, call: decrypting(blob[:len(blob)-1], "", pairs),
			code: codes.InvalidArgument, reason: "InvalidCiphertextException", event: "Decrypt",
		}, {
			name: "altered blob", as: harness.User, call: decrypting(altered(blob, len(blob)-1), "", pairs),
			code: codes.InvalidArgument, reason: "InvalidCiphertextException", event: "Decrypt",
		}, {
			name: "dry run", as: harness.User, call: dryRun(key),
			code: codes.FailedPrecondition, reason: "DryRunOperationException", event: "Encrypt",
		},
	}
}

type kmsCall = func(context.Context, kmsv1.KeyManagementServiceClient, ...grpc.CallOption) error

func listing() kmsCall {
	return func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, opts ...grpc.CallOption) error {
		_, err := kms.ListKeys(ctx, &kmsv1.ListKeysRequest{}, opts...)
		return err
	}
}

func creating() kmsCall {
	return func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, opts ...grpc.CallOption) error {
		_, err := kms.CreateKey(ctx, &kmsv1.CreateKeyRequest{}, opts...)
		return err
	}
}

func encrypting(key string, plaintext []byte) kmsCall {
	return func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, opts ...grpc.CallOption) error {
		_, err := kms.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: plaintext}, opts...)
		return err
	}
}

func dryRun(key string) kmsCall {
	return func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, opts ...grpc.CallOption) error {
		_, err := kms.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: []byte("x"), DryRun: proto.Bool(true)}, opts...)
		return err
	}
}

func decrypting(blob []byte, key string, pairs map[string]string) kmsCall {
	return func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, opts ...grpc.CallOption) error {
		req := &kmsv1.DecryptRequest{CiphertextBlob: blob, EncryptionContext: pairs}
		if key != "" {
			req.KeyId = &key
		}
		_, err := kms.Decrypt(ctx, req, opts...)
		return err
	}
}

// altered returns a copy with one bit of the byte at i flipped.
func altered(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1
	return c
}

func expectRefusal(t *testing.T, test refusal, err error, requestID string) {
	t.Helper()
	s, info := status.Convert(err), harness.ErrorInfo(err)
	if s.Code() != test.code {
		t.Errorf("status %v, want %v: %v", s.Code(), test.code, err)
	}
	if info.GetReason() != test.reason || info.GetDomain() != "kms.amazonaws.com" {
		t.Errorf("error %s of %s, want %s of kms.amazonaws.com", info.GetReason(), info.GetDomain(), test.reason)
	}
	if !strings.Contains(s.Message(), test.mentions) {
		t.Errorf("the message %q does not mention %q", s.Message(), test.mentions)
	}
	if (requestID == "") != (test.event == "") || info.GetMetadata()["request_id"] != requestID {
		t.Errorf("request id %q in the header, %q in the error", requestID, info.GetMetadata()["request_id"])
	}
}

func expectRefusalEvent(t *testing.T, test refusal, e harness.Event) {
	t.Helper()
	arn := harness.ARN(test.as)
	if test.as == harness.Stranger {
		arn = ""
	}
	if e.EventName != test.event || e.ErrorCode != test.reason || e.UserIdentity.ARN != arn {
		t.Errorf("the event says that %q of %q failed with %q, want %q of %q with %q\n%s",
			e.EventName, e.UserIdentity.ARN, e.ErrorCode, test.event, arn, test.reason, e.JSON)
	}
}

// eventsOf returns the events of a request.
func eventsOf(t *testing.T, client *harness.Client, requestID string) []harness.Event {
	t.Helper()
	var found []harness.Event
	for _, e := range allEvents(t, client) {
		if e.RequestID == requestID {
			found = append(found, e)
		}
	}
	return found
}

// only returns the one event that there has to be.
func only(t *testing.T, events []harness.Event) harness.Event {
	t.Helper()
	if len(events) != 1 {
		t.Fatalf("the request has %d events, want 1", len(events))
	}
	return events[0]
}

// Without a certificate every request is refused, and none leaves an event:
// whoever can reach the port could fill the journal.
func TestNoCertificate(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	err := listing()(within(t, 10*time.Second), dial(t, site, server, harness.Nobody).KMS)
	s := status.Convert(err)
	if s.Code() != codes.Unauthenticated || !strings.Contains(s.Message(), "no client certificate") {
		t.Errorf("%v, want Unauthenticated and why", err)
	}
	if got := harness.ErrorInfo(err).GetReason(); got != "MissingAuthenticationTokenException" {
		t.Errorf("error %q, want MissingAuthenticationTokenException", got)
	}
	for _, e := range allEvents(t, dial(t, site, server, harness.Admin)) {
		if e.EventName == "ListKeys" {
			t.Errorf("the refused request left an event: %s", e.JSON)
		}
	}
}

// A certificate of another authority ends the handshake: there is no connection
// and nobody whose request could be recorded.
func TestHandshakeRefusesForeignCertificate(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	elsewhere, err := harness.NewCA(t.TempDir(), "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := elsewhere.IssueClient(harness.Admin, harness.SPIFFE(harness.Admin))
	if err != nil {
		t.Fatal(err)
	}
	client, err := harness.Dial(server.Address, site.CA.Cert, &foreign)
	client = closing(t, client, err)
	err = listing()(within(t, 10*time.Second), client.KMS)
	if status.Code(err) != codes.Unavailable || harness.ErrorInfo(err) != nil {
		t.Errorf("%v, want a failed handshake", err)
	}
}

// An event says who did what with which key, in which HSM.
func TestEventOfASuccess(t *testing.T) {
	t.Parallel()
	site := newSite(t, harness.Options{})
	server := start(t, site)
	admin := dial(t, site, server, harness.Admin)
	key := newKey(t, admin)
	var header harness.Header
	_, err := dial(t, site, server, harness.User).KMS.Encrypt(t.Context(), &kmsv1.EncryptRequest{
		KeyId: &key, Plaintext: []byte(plaintext), EncryptionContext: map[string]string{"invoice": "17"},
	}, header.Option())
	if err != nil {
		t.Fatal(err)
	}
	e := only(t, eventsOf(t, admin, header.RequestID()))
	if e.EventName != "Encrypt" || e.ErrorCode != "" || e.UserIdentity.ARN != harness.ARN(harness.User) {
		t.Errorf("the event is of another request: %s", e.JSON)
	}
	if len(e.Resources) != 1 || e.Resources[0].ARN != key {
		t.Errorf("the event names %v, want %s", e.Resources, key)
	}
	for _, name := range []string{"hsmId", "backingKeyId", "returnCode"} {
		if e.AdditionalEventData[name] == nil {
			t.Errorf("additionalEventData has no %s: %s", name, e.JSON)
		}
	}
	if !strings.Contains(e.JSON, `"encryptionContext":{"invoice":"17"}`) {
		t.Errorf("the event does not show the encryption context: %s", e.JSON)
	}
}
