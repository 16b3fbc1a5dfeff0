package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
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

// awsCaller calls as AWS's SDKs do by default: signed JSON over HTTP/1.1, a
// connection for each request in flight.
type awsCaller struct {
	url         string
	http        *http.Client
	signer      *v4.Signer
	credentials aws.Credentials
	key         string
}

func newAWSCaller(c childOptions, inFlight int) (*awsCaller, error) {
	client, err := harness.HTTPClient(c.ca, inFlight)
	if err != nil {
		return nil, err
	}
	return &awsCaller{
		url: "https://" + c.awsAddress + "/", http: client, signer: v4.NewSigner(), key: c.kmsKey,
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
	body, err := json.Marshal(request)
	if err != nil {
		return answer, fmt.Errorf("encoding a request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return answer, fmt.Errorf("making a request: %w", err)
	}
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, c.credentials, r, hex.EncodeToString(sum[:]), "kms", harness.Region, time.Now()); err != nil {
		return answer, fmt.Errorf("signing: %w", err)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return answer, fmt.Errorf("sending a request: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer, fmt.Errorf("reading an answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("answered %s: %s", res.Status, text)
	}
	return answer, json.Unmarshal(text, &answer)
}
