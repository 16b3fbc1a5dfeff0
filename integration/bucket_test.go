package integration

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

const bucketKey, bucketSecret = "AKIDBUCKET", "secret-of-the-bucket"

// startGateway starts a server of S3 with a bucket "trails", and returns its address and the
// directory that has the bucket's objects.
func startGateway(t *testing.T) (address, objects string) {
	t.Helper()
	program, err := filepath.Abs("../.tools/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip("there is no .tools/versitygw: run make .tools/versitygw")
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	root, sidecar := t.TempDir(), t.TempDir()
	if err := errors.Join(l.Close(), os.Mkdir(filepath.Join(root, "trails"), 0o700)); err != nil {
		t.Fatal(err)
	}
	p, err := harness.Spawn(exec.Command(program, "--port", address, "--access", bucketKey, "--secret", bucketSecret, "--quiet",
		"posix", "--sidecar", sidecar, root))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return address, filepath.Join(root, "trails")
}

// What is in the bucket after kills and a stop is what is in the directory, digests with
// their signature as CloudTrail has it, and it verifies.
func TestTheFilesReachABucket(t *testing.T) {
	t.Parallel()
	address, objects := startGateway(t)
	site := newSite(t, harness.Options{})
	key := filepath.Join(filepath.Dir(site.Config), "s3-key")
	if err := os.WriteFile(key, []byte(bucketKey+"\n"+bucketSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	configure(t, site, "\naudit:\n  log_file_period: 1s\n  s3: {endpoint: 'http://"+address+"', bucket: trails, path_style: true, access_key_file: "+key+"}\n")
	server := start(t, site)
	client := dial(t, site, server, harness.Admin)
	used := newKey(t, client)
	for life := range 2 {
		roundTrips(t, client, used, 20)
		awaitLogFile(t, objects, life)
		server.Kill()
		server = start(t, site)
		client = dial(t, site, server, harness.Admin)
	}
	roundTrips(t, client, used, 20)
	stop(t, server.Process)
	digests := compareTrees(t, os.DirFS(filepath.Join(site.DataDir, "trail")), os.DirFS(objects))
	if len(digests) == 0 {
		t.Fatalf("no digest reached the bucket; the server's log:\n%s", server.Stderr)
	}
	for _, name := range digests {
		checkSignedObject(t, address, objects, name)
	}
}

// awaitLogFile waits until a bucket has more than n log files of events.
func awaitLogFile(t *testing.T, objects string, n int) {
	t.Helper()
	for ctx := within(t, time.Minute); ; time.Sleep(10 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(objects, "AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) > n {
			return
		}
		if ctx.Err() != nil {
			t.Fatal("no log file reaches the bucket")
		}
	}
}

// compareTrees checks that the bucket has every file of the directory, and returns the
// digests.
func compareTrees(t *testing.T, directory, bucket fs.FS) (digests []string) {
	t.Helper()
	err := fs.WalkDir(directory, "AWSLogs", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		want, err := fs.ReadFile(directory, name)
		if err != nil {
			return err
		}
		if got, err := fs.ReadFile(bucket, name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not in the bucket as it is in the directory: %v", name, err)
		}
		if o, _ := cloudtrail.ParseObject(name); o.Kind == cloudtrail.KindDigest {
			digests = append(digests, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return digests
}

// checkSignedObject checks a digest's metadata against its signature file.
func checkSignedObject(t *testing.T, address, objects, name string) {
	t.Helper()
	c, err := minio.New(address, &minio.Options{Creds: credentials.NewStaticV4(bucketKey, bucketSecret, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath})
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.StatObject(t.Context(), "trails", name, minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := cloudtrail.ReadDigest(os.DirFS(objects), name)
	if err != nil {
		t.Fatal(err)
	}
	if info.UserMetadata["Signature"] != digest.Signature || info.UserMetadata["Signature-Algorithm"] != cloudtrail.SignatureAlgorithm {
		t.Errorf("metadata of %s: %v, want the signature %s", name, info.UserMetadata, digest.Signature)
	}
}
