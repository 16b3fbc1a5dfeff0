package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// Variables of the environment by which a child gets its access key.
const (
	variableID     = "AWS_ACCESS_KEY_ID"
	variableSecret = "AWS_SECRET_ACCESS_KEY"
)

// awsCaller calls as AWS's SDKs do, with signed JSON over HTTP/1.1, on a connection
// of its own. It is for one goroutine, which costs less than a http.Client: what the
// load computes is missing to the server.
type awsCaller struct {
	url         string
	conn        net.Conn
	reader      *bufio.Reader
	signer      *v4.Signer
	credentials aws.Credentials
	key         string
}

func newAWSCaller(ctx context.Context, c childOptions) (*awsCaller, error) {
	conn, err := harness.DialTLS(ctx, c.awsAddress, c.ca)
	if err != nil {
		return nil, err
	}
	return &awsCaller{
		url: "https://" + c.awsAddress + "/", conn: conn, reader: bufio.NewReader(conn), signer: v4.NewSigner(), key: c.kmsKey,
		credentials: aws.Credentials{AccessKeyID: os.Getenv(variableID), SecretAccessKey: os.Getenv(variableSecret)},
	}, nil
}

// message has the members of requests and answers that are needed here.
type message struct {
	KeyID             string            `json:"KeyId,omitempty"`
	KeySpec           string            `json:",omitempty"`
	Plaintext         []byte            `json:",omitempty"`
	CiphertextBlob    []byte            `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
}

func (c *awsCaller) encrypt(ctx context.Context, plaintext []byte) ([]byte, error) {
	answer, err := c.call(ctx, opEncrypt, message{KeyID: c.key, Plaintext: plaintext, EncryptionContext: pairs()})
	return answer.CiphertextBlob, err
}

func (c *awsCaller) decrypt(ctx context.Context, blob []byte) ([]byte, error) {
	answer, err := c.call(ctx, opDecrypt, message{CiphertextBlob: blob, EncryptionContext: pairs()})
	return answer.Plaintext, err
}

func (c *awsCaller) dataKey(ctx context.Context) (pair, error) {
	answer, err := c.call(ctx, opDataKey, message{KeyID: c.key, KeySpec: "AES_256", EncryptionContext: pairs()})
	return pair{answer.Plaintext, answer.CiphertextBlob}, err
}

// call signs and sends a request, and reads its answer.
func (c *awsCaller) call(ctx context.Context, operation string, request message) (answer message, err error) {
	r, err := c.newRequest(ctx, operation, request)
	if err != nil {
		return answer, fmt.Errorf("making a request: %w", err)
	}
	if err := r.Write(c.conn); err != nil {
		return answer, fmt.Errorf("sending a request: %w", err)
	}
	res, err := http.ReadResponse(c.reader, r)
	if err != nil {
		return answer, fmt.Errorf("reading an answer: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer, fmt.Errorf("reading an answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("answered %s: %s", res.Status, text)
	}
	return answer, json.Unmarshal(text, &answer)
}

// newRequest makes a signed request.
func (c *awsCaller) newRequest(ctx context.Context, operation string, request message) (*http.Request, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256(body)
	return r, c.signer.SignHTTP(ctx, c.credentials, r, hex.EncodeToString(sum[:]), "kms", harness.Region, time.Now())
}
