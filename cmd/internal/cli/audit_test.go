package cli_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// DescribeAudit answers the audit.
func (f fakeOperator) DescribeAudit(context.Context, *operatorv1.DescribeAuditRequest) (*operatorv1.DescribeAuditResponse, error) {
	return f.audit, nil
}

// RotateAuditKey answers the last of the audit's keys.
func (f fakeOperator) RotateAuditKey(context.Context, *operatorv1.RotateAuditKeyRequest) (*operatorv1.RotateAuditKeyResponse, error) {
	keys := f.audit.GetSigningKeys()
	return &operatorv1.RotateAuditKeyResponse{SigningKey: keys[len(keys)-1]}, nil
}

// fakeAudit is an audit of two Regions, with a digest of each.
func fakeAudit(publicKey []byte) *operatorv1.DescribeAuditResponse {
	noon := timestamppb.New(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	return &operatorv1.DescribeAuditResponse{
		JournalId: new("0a"), FirstSequence: new(uint64(1)), HeadSequence: new(uint64(9)), HeadHash: new("0b"), JournalBytes: new(uint64(4096)), IndexLag: new(uint64(1)),
		Digests: []*operatorv1.AuditDigest{
			{Region: new("eu-central-1"), EndTime: noon, LastSequence: new(uint64(8)), LastHash: new("08"), Fingerprint: new("f2")},
			{Region: new("us-east-1"), EndTime: noon, LastSequence: new(uint64(7)), LastHash: new("07"), Fingerprint: new("f2")},
		},
		Sinks: []*operatorv1.AuditSink{
			{Name: new("files"), Required: new(true), Sequence: new(uint64(9))},
			{Name: new("otlp"), Required: new(false), Sequence: new(uint64(2)), LagRecords: new(uint64(7)), LagMilliseconds: new(int64(61_400)), LastError: new("refused\x1b[2J")},
		},
		SigningKeys: []*operatorv1.AuditSigningKey{
			{Fingerprint: new("f1"), PublicKey: publicKey, Created: noon, Retired: noon},
			{Fingerprint: new("f2"), PublicKey: publicKey, Created: noon},
		},
	}
}

func TestAudit(t *testing.T) {
	const keys = "FINGERPRINT  MADE                  SIGNED UNTIL\n"
	for _, test := range []struct{ command, want string }{
		{"audit status", `Journal  0a
Records  1 to 9, in 4096 bytes
Head     0b
Index    1 record behind

DIGEST OF     UNTIL                 LAST RECORD  SIGNED BY
eu-central-1  2026-11-23 12:00:00Z  8            f2
us-east-1     2026-11-23 12:00:00Z  7            f2

TAKEN BY  REQUIRED  LAST RECORD  BEHIND           LAST ERROR
files     true      9            -                -
otlp      false     2            7 records, 1m1s  refused?[2J
`},
		{"audit head", "0a:9:0b\n"},
		{"audit head --signed", "0a:7:07\n"},
		{"audit keys", keys + "f1           2026-11-23 12:00:00Z  2026-11-23 12:00:00Z\nf2           2026-11-23 12:00:00Z  -\n"},
		{"audit rotate-key", keys + "f2           2026-11-23 12:00:00Z  -\n"},
	} {
		t.Run(test.command, func(t *testing.T) {
			got := run(t.Context(), startFakeOperator(t, fakeOperator{audit: fakeAudit(nil)}), "", strings.Fields(test.command)...)
			if diff := cmp.Diff(test.want, got.stdout); diff != "" || got.status != 0 || got.stderr != "" {
				t.Errorf("status %d, stderr %q, stdout (-want +got):\n%s", got.status, got.stderr, diff)
			}
		})
	}
}

// Public keys are written as openssl and others read them.
func TestAuditKeysInPEM(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	variables := startFakeOperator(t, fakeOperator{audit: fakeAudit(x509.MarshalPKCS1PublicKey(&key.PublicKey))})
	path := filepath.Join(t.TempDir(), "keys.pem")
	if got := run(t.Context(), variables, "", "audit", "keys", "-o", path); got.status != 0 || got.stdout != "" {
		t.Fatalf("%+v", got)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t.Context(), variables, "", "audit", "keys", "--pem"); got.stdout != string(written) {
		t.Errorf("printed %q, written %q", got.stdout, written)
	}
	for range 2 {
		block, rest := pem.Decode(written)
		if block == nil || block.Type != "RSA PUBLIC KEY" {
			t.Fatalf("written: %q", written)
		}
		if k, err := x509.ParsePKCS1PublicKey(block.Bytes); err != nil || !k.Equal(&key.PublicKey) {
			t.Errorf("the key is %v, %v", k, err)
		}
		written = rest
	}
}

func TestAuditBeforeTheFirstDigest(t *testing.T) {
	variables := startFakeOperator(t, fakeOperator{audit: new(operatorv1.DescribeAuditResponse)})
	for command, want := range map[string]string{
		"audit keys --pem":             "there is no key yet",
		"audit head --signed":          "there is no signed digest yet",
		"audit head --signed /nowhere": "--signed and --json are for the server",
	} {
		if got := run(t.Context(), variables, "", strings.Fields(command)...); got.status == 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v", command, got)
		}
	}
}
