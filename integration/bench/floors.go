package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"crypto/tls"
	"crypto/x509"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Sizes, in bytes, of what the floors are measured with: a typical request's.
const (
	plaintextSize = 32
	blobSize      = 1 + 16 + 16 + 12 + plaintextSize + 16
	recordSize    = 800 // an API event of Encrypt
)

// tokenFloor measures the token's AES-GCM alone, with a C program.
func tokenFloor(ctx context.Context, o options, dir string) (row, error) {
	program := filepath.Join(dir, "token")
	if err := harness.Compile(ctx, program, "integration/bench/token/token.c"); err != nil {
		return row{}, err
	}
	dir = filepath.Join(dir, "floor")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return row{}, fmt.Errorf("making a directory: %w", err)
	}
	token, err := harness.NewToken(ctx, dir)
	if err != nil {
		return row{}, err
	}
	cmd := exec.CommandContext(ctx, program, token.Library, token.PINFile, fmt.Sprint(o.duration.Seconds()))
	cmd.Env, cmd.Stderr = token.Env(), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return row{}, fmt.Errorf("measuring the token: %w", err)
	}
	var n, seconds, cpu float64
	if _, err := fmt.Sscan(string(out), &n, &seconds, &cpu); err != nil {
		return row{}, fmt.Errorf("measuring the token: %w: %q", err, out)
	}
	return row{Name: rowToken, InFlight: 1, PerSecond: n / seconds, CPU: cpu / n * 1e6, P50: seconds / n * 1e6}, nil
}

// noopServer answers at once what Encrypt answers.
type noopServer struct {
	kmsv1.UnimplementedKeyManagementServiceServer
	answer *kmsv1.EncryptResponse
}

// Encrypt answers as many bytes as the real one.
func (s *noopServer) Encrypt(context.Context, *kmsv1.EncryptRequest) (*kmsv1.EncryptResponse, error) {
	return s.answer, nil
}

// runNoop serves until ctx ends.
func runNoop(ctx context.Context, o options, stdout io.Writer) error {
	config, err := noopTLS(o.child)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	arn := o.child.kmsKey
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	kmsv1.RegisterKeyManagementServiceServer(server, &noopServer{answer: &kmsv1.EncryptResponse{
		CiphertextBlob:      make([]byte, blobSize),
		KeyId:               &arn,
		EncryptionAlgorithm: kmsv1.EncryptionAlgorithmSpec_ENCRYPTION_ALGORITHM_SPEC_SYMMETRIC_DEFAULT.Enum(),
	}})
	defer context.AfterFunc(ctx, server.Stop)()
	if _, err := fmt.Fprintln(stdout, listener.Addr()); err != nil {
		return err
	}
	return server.Serve(listener)
}

func noopTLS(c childOptions) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("loading the server's certificate: %w", err)
	}
	ca, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, fmt.Errorf("reading the CA certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}, nil
}

// runJournal appends records from many goroutines.
func runJournal(ctx context.Context, o options, stdout io.Writer) error {
	j, _, err := journal.Open(journal.Options{Dir: o.child.dir})
	if err != nil {
		return err
	}
	body := make([]byte, recordSize)
	w := &window{warmup: o.warmup, duration: o.duration, inFlight: o.inFlight[0], stdout: stdout}
	t, err := w.run(ctx, func(ctx context.Context, _ int) error {
		_, err := j.Append(ctx, journal.Entry{Kind: 1, Body: body})
		return err
	})
	if err != nil {
		return err
	}
	if err := j.Close(ctx); err != nil {
		return err
	}
	if _, err := journal.Verify(o.child.dir); err != nil {
		return fmt.Errorf("checking the records: %w", err)
	}
	return printResult(stdout, t)
}
