package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Operations of the load.
const (
	opNoop    = "noop"
	opEncrypt = "Encrypt"
	opDecrypt = "Decrypt"
	opDataKey = "GenerateDataKey"
	// opDescribe asks for what the server has in memory: nothing else costs anything.
	opDescribe = "DescribeKey"
)

// connections is the most that the load over gRPC spreads over.
const connections = 4

// pair is an answer's ciphertext and what it has to decrypt to.
type pair struct{ plaintext, blob []byte }

// caller calls operations, over gRPC or as AWS clients do.
type caller interface {
	encrypt(ctx context.Context, plaintext []byte) (blob []byte, err error)
	decrypt(ctx context.Context, blob []byte) (plaintext []byte, err error)
	dataKey(ctx context.Context) (pair, error)
}

// load calls one operation from many goroutines and remembers the answers.
type load struct {
	key     string
	clients []*harness.Client
	callers []caller
	closers []io.Closer
	answers [][]pair // of each goroutine
}

func runLoad(ctx context.Context, o options, stdout io.Writer) error {
	inFlight := o.inFlight[0]
	l, err := newLoad(ctx, o.child, inFlight)
	defer l.close()
	if err != nil {
		return err
	}
	work, err := l.work(ctx, o.child.operation)
	if err != nil {
		return err
	}
	w := &window{warmup: o.warmup, duration: o.duration, inFlight: inFlight, stdout: stdout}
	t, err := w.run(ctx, work)
	if err != nil {
		return fmt.Errorf("%s: %w", o.child.operation, err)
	}
	if err := l.check(ctx); err != nil {
		return fmt.Errorf("checking the answers of %s: %w", o.child.operation, err)
	}
	return printResult(stdout, t)
}

// newLoad connects. What it returns is to be closed, with an error too.
func newLoad(ctx context.Context, c childOptions, inFlight int) (*load, error) {
	l := &load{key: c.kmsKey, answers: make([][]pair, inFlight)}
	for range min(inFlight, connections) {
		client, err := harness.Dial(c.address, c.ca, &harness.Identity{Cert: c.cert, Key: c.key})
		if err != nil {
			return l, err
		}
		l.closers = append(l.closers, client)
		l.clients = append(l.clients, client)
		l.callers = append(l.callers, grpcCaller{client: client, key: c.kmsKey})
	}
	if c.awsAddress == "" {
		return l, nil
	}
	l.callers = nil
	for range inFlight {
		aws, err := newAWSCaller(ctx, c)
		if err != nil {
			return l, err
		}
		l.closers = append(l.closers, aws.conn)
		l.callers = append(l.callers, aws)
	}
	return l, nil
}

func (l *load) close() {
	for _, c := range l.closers {
		c.Close() //nolint:errcheck // all calls are over
	}
}

func (l *load) work(ctx context.Context, operation string) (func(context.Context, int) error, error) {
	switch operation {
	case opNoop:
		return l.noop, nil
	case opEncrypt:
		return l.encrypt, nil
	case opDecrypt:
		return l.decrypt, l.encryptForEach(ctx)
	case opDataKey:
		return l.dataKey, nil
	case opDescribe:
		return l.describe, nil
	default:
		return nil, fmt.Errorf("unknown operation %q", operation)
	}
}

func (l *load) client(i int) *harness.Client { return l.clients[i%len(l.clients)] }

func (l *load) caller(i int) caller { return l.callers[i%len(l.callers)] }

// noop calls a server that does nothing, with a request and an answer of the
// size that Encrypt's have.
func (l *load) noop(ctx context.Context, i int) error {
	res, err := l.client(i).KMS.Encrypt(ctx, &kmsv1.EncryptRequest{
		KeyId: &l.key, Plaintext: make([]byte, plaintextSize), EncryptionContext: pairs(),
	})
	if err == nil && len(res.GetCiphertextBlob()) != blobSize {
		return errors.New("the no-op server answered something else")
	}
	return err
}

// pairs is the encryption context of every request.
func pairs() map[string]string { return map[string]string{"tenant": "bench"} }

func (l *load) encrypt(ctx context.Context, i int) error {
	plaintext := make([]byte, plaintextSize)
	binary.BigEndian.PutUint32(plaintext, uint32(i))
	binary.BigEndian.PutUint64(plaintext[8:], uint64(len(l.answers[i])))
	blob, err := l.caller(i).encrypt(ctx, plaintext)
	if err != nil {
		return err
	}
	l.answers[i] = append(l.answers[i], pair{plaintext, blob})
	return nil
}

// encryptForEach gives each goroutine something to decrypt.
func (l *load) encryptForEach(ctx context.Context) error {
	for i := range l.answers {
		if err := l.encrypt(ctx, i); err != nil {
			return fmt.Errorf("making ciphertexts: %w", err)
		}
	}
	return nil
}

// decrypt compares at once.
func (l *load) decrypt(ctx context.Context, i int) error {
	known := l.answers[i][0]
	plaintext, err := l.caller(i).decrypt(ctx, known.blob)
	if err == nil && !bytes.Equal(plaintext, known.plaintext) {
		return errors.New("a ciphertext decrypts to something else")
	}
	return err
}

func (l *load) dataKey(ctx context.Context, i int) error {
	made, err := l.caller(i).dataKey(ctx)
	if err != nil {
		return err
	}
	l.answers[i] = append(l.answers[i], made)
	return nil
}

func (l *load) describe(ctx context.Context, i int) error {
	res, err := l.client(i).KMS.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &l.key})
	if err == nil && res.GetKeyMetadata().GetArn() == "" {
		return errors.New("DescribeKey answered no key")
	}
	return err
}

// check decrypts every answer, over gRPC.
func (l *load) check(ctx context.Context) error {
	var all []pair
	for _, some := range l.answers {
		all = append(all, some...)
	}
	var next atomic.Int64
	_, err := harness.Load(ctx, 64, func(done int64) bool { return next.Load() < int64(len(all)) }, func(ctx context.Context, i int) error {
		n := next.Add(1) - 1
		if n >= int64(len(all)) {
			return nil
		}
		res, err := l.client(i).KMS.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: all[n].blob, EncryptionContext: pairs()})
		if err != nil {
			return err
		}
		if !bytes.Equal(res.GetPlaintext(), all[n].plaintext) {
			return errors.New("an answer decrypts to something else")
		}
		return nil
	})
	return err
}
