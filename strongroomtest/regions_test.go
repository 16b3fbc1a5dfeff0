package strongroomtest_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/strongroomtest"
)

// in is a context whose requests mean a Region.
func in(t *testing.T, region string) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), "strongroom-region", region)
}

func TestRegions(t *testing.T) {
	server := strongroomtest.Start(t, strongroomtest.WithRegions("eu-west-1", "ap-south-1"))
	kms := server.Admin.KMS
	ireland := server.NewKey()
	made, err := kms.CreateKey(in(t, "ap-south-1"), &kmsv1.CreateKeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	mumbai := made.GetKeyMetadata().GetArn()
	for key, want := range map[string]string{ireland: "arn:aws:kms:eu-west-1:", mumbai: "arn:aws:kms:ap-south-1:"} {
		if !strings.HasPrefix(key, want) {
			t.Errorf("a key is %s, want it to begin with %s", key, want)
		}
	}
	server.Restart()
	for _, test := range []struct {
		region, key string
		want        codes.Code
	}{
		{"eu-west-1", ireland, codes.OK}, {"ap-south-1", mumbai, codes.OK},
		{"eu-west-1", mumbai, codes.NotFound}, {"ap-south-1", ireland, codes.NotFound},
		{"us-east-1", ireland, codes.InvalidArgument},
	} {
		_, err := kms.Encrypt(in(t, test.region), &kmsv1.EncryptRequest{KeyId: &test.key, Plaintext: secret})
		expect(t, test.key+" in "+test.region, err, test.want)
	}
	var got []string
	for _, e := range server.Events() {
		got = append(got, e.EventName+" in "+e.AWSRegion)
	}
	want := []string{
		"CreateKey in eu-west-1", "CreateKey in ap-south-1", "CreateAuditKey in eu-west-1" /* at the restart */, "Encrypt in eu-west-1", "Encrypt in ap-south-1",
		"Encrypt in eu-west-1", "Encrypt in ap-south-1", "Encrypt in eu-west-1", // the last one of a Region that there is not
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestTheOperatorSeesAllRegions asks without a Region, and with one that there is
// not.
func TestTheOperatorSeesAllRegions(t *testing.T) {
	server := strongroomtest.Start(t, strongroomtest.WithRegions("eu-west-1", "ap-south-1"))
	server.NewKey()
	if _, err := server.Admin.KMS.CreateKey(in(t, "ap-south-1"), &kmsv1.CreateKeyRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []context.Context{t.Context(), in(t, "us-east-1")} {
		stream, err := server.Admin.Operator.Backup(ctx, &operatorv1.BackupRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if keys := keysOf(t, stream.Recv); keys != 2 {
			t.Errorf("the backup has %d keys, want those of both Regions", keys)
		}
		res, err := server.Admin.Operator.ListHsmOrphans(ctx, &operatorv1.ListHsmOrphansRequest{})
		if err != nil || len(res.GetTokenOrphans())+len(res.GetMetadataOrphans()) != 0 {
			t.Errorf("orphans %v, %v", res, err)
		}
	}
	events := server.Events()
	if last := events[len(events)-1]; last.EventName != "ListHsmOrphans" || last.AWSRegion != "eu-west-1" {
		t.Errorf("the last event is %s", last.JSON)
	}
}

// keysOf counts the keys of a backup that is streamed.
func keysOf(t *testing.T, receive func() (*operatorv1.BackupResponse, error)) (keys int) {
	t.Helper()
	r, w := io.Pipe()
	go func() {
		for {
			chunk, err := receive()
			if err == nil {
				_, err = w.Write(chunk.GetChunk())
			}
			if err != nil {
				w.CloseWithError(err)
				return
			}
		}
	}()
	a, err := archive.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range a.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		if keystore.IsKey(e) {
			keys++
		}
	}
	for err == nil {
		_, _, err = a.NextSegment()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("reading the backup: %v", err)
	}
	return keys
}
