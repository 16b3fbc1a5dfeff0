package keystore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/internal/devpki"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	"github.com/strongroom-kms/strongroom/server"
	"github.com/strongroom-kms/strongroom/server/awsapi"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

// TestConformanceOverAWSJSON makes the requests of the conformance table as AWS
// clients make them, over HTTP and signed. They get the same kinds and texts, and
// AWS's statuses.
func TestConformanceOverAWSJSON(t *testing.T) {
	if testing.Short() {
		t.Skip("the table is long, and package awsapi has tests of the endpoint itself")
	}
	keystore.RunConformance(t, func(k *keystore.Keystore) keystore.Door { return openAWSDoor(t, k) })
}

// awsDoor is an endpoint for AWS clients, and a client. An access key's id is its
// principal's ARN in hexadecimal.
type awsDoor struct {
	t      testing.TB
	api    *describe.API
	url    string
	client *http.Client
	signer *v4.Signer
}

const (
	awsSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	awsRegion = "us-east-1"
)

func openAWSDoor(t testing.TB, k *keystore.Keystore) keystore.Door {
	t.Helper()
	handler, err := awsapi.NewHandler(awsapi.Config{
		API: k.Describe(), Operations: startServer(t, k),
		Verifier:    sigv4.New(sigv4.Config{Credentials: everybody{}, Region: func(name string) bool { return name == awsRegion }}),
		MaxArriving: 64,
	})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := httptest.NewServer(handler)
	t.Cleanup(endpoint.Close)
	return &awsDoor{t: t, api: k.Describe(), url: endpoint.URL + "/", client: endpoint.Client(), signer: v4.NewSigner()}
}

// everybody has an access key.
type everybody struct{}

func (everybody) AccessKey(_ context.Context, id string) (sigv4.Credential, error) {
	principal, err := hex.DecodeString(id)
	return sigv4.Credential{Secret: awsSecret, Principal: string(principal)}, err
}

// startServer runs a server on a Keystore until the test ends.
func startServer(t testing.TB, k *keystore.Keystore) *server.Server {
	t.Helper()
	ca, err := devpki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{
		Default: k, Operator: k.Operator(), Health: k.Health, Reject: k.Reject, Wipe: k.Describe().Wipe, Redact: k.Describe().Redact,
		TLS:        server.TLSFiles{Certificate: pair.Cert, Key: pair.Key, ClientCA: ca.File},
		Principals: func([]string, []string) string { return "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// Call is part of keystore.Door.
func (d *awsDoor) Call(principal string, req proto.Message) error {
	operation := strings.TrimSuffix(string(req.ProtoReflect().Descriptor().Name()), "Request")
	m := d.api.Method("/" + kmsv1.KeyManagementService_ServiceDesc.ServiceName + "/" + operation)
	status, body := d.post(principal, m, awsjson.Append(nil, m.Request, req))
	if status == http.StatusOK {
		return nil
	}
	return d.read(status, body)
}

// post sends a signed request and returns status and body of the answer.
func (d *awsDoor) post(principal string, m *describe.Method, body []byte) (int, []byte) {
	r, err := http.NewRequest(http.MethodPost, d.url, bytes.NewReader(body))
	d.must(err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", m.TargetPrefix+"."+m.Name)
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: hex.EncodeToString([]byte(principal)), SecretAccessKey: awsSecret}
	d.must(d.signer.SignHTTP(context.Background(), credentials, r, hex.EncodeToString(sum[:]), "kms", awsRegion, time.Now()))
	res, err := d.client.Do(r)
	d.must(err)
	defer res.Body.Close() //nolint:errcheck // it has been read
	answer, err := io.ReadAll(res.Body)
	d.must(err)
	if res.Header.Get("x-amzn-RequestId") == "" || res.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		d.t.Errorf("%s is answered with the headers %v", m.Name, res.Header)
	}
	return res.StatusCode, answer
}

// read reads an error as AWS clients do.
func (d *awsDoor) read(status int, body []byte) error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("the answer %q: %w", body, err)
	}
	kind, ok := describe.KindByName(e.Type)
	if !ok {
		return fmt.Errorf("there is no error %q", e.Type)
	}
	if want := describe.ErrorOf(kind).HTTPStatus; status != want {
		d.t.Errorf("%s has the status %d, want %d", e.Type, status, want)
	}
	return &keystore.Error{Kind: kind, Message: e.Message}
}

func (d *awsDoor) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}
