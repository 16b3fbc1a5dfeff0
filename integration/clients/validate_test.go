package clients

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// bucketName is the bucket that the digests name.
const bucketName = "strongroom"

// bucket answers S3 clients that read what is in a directory of trail files. The
// signatures beside the digests are their objects' metadata, as they are after an
// upload.
type bucket struct{ dir string }

// ServeHTTP has what `aws cloudtrail validate-logs` asks for: the bucket's location, the
// list of its objects, and an object.
func (b bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch key, isObject := strings.CutPrefix(r.URL.Path, "/"+bucketName+"/"); {
	case query.Has("location"):
		_, _ = io.WriteString(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`)
	case isObject && key != "":
		b.object(w, r, key)
	default:
		b.list(w, query.Get("prefix"), query.Get("marker"))
	}
}

func (b bucket) object(w http.ResponseWriter, r *http.Request, key string) {
	file := filepath.Join(b.dir, filepath.FromSlash(key))
	if content, err := os.ReadFile(file + cloudtrail.SignatureSuffix); err == nil {
		signature, _ := cloudtrail.ParseSignatureFile(content)
		// As S3 writes them: the client takes the name as it comes.
		w.Header()["x-amz-meta-signature"] = []string{signature}
		w.Header()["x-amz-meta-signature-algorithm"] = []string{cloudtrail.SignatureAlgorithm}
	}
	if _, err := os.Stat(file); err != nil {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`)
		return
	}
	http.ServeFile(w, r, file)
}

func (b bucket) list(w http.ResponseWriter, prefix, marker string) {
	fmt.Fprintf(w, `<ListBucketResult><Name>%s</Name><IsTruncated>false</IsTruncated>`, bucketName)
	for _, key := range b.keys() {
		if strings.HasPrefix(key, prefix) && key > marker && !strings.HasSuffix(key, cloudtrail.SignatureSuffix) {
			fmt.Fprintf(w, `<Contents><Key>%s</Key></Contents>`, key)
		}
	}
	_, _ = io.WriteString(w, `</ListBucketResult>`)
}

// keys are the names of all objects, in order.
func (b bucket) keys() (keys []string) {
	_ = fs.WalkDir(os.DirFS(b.dir), "AWSLogs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			keys = append(keys, path)
		}
		return err
	})
	slices.Sort(keys)
	return keys
}

// logFile is the first log file of the API events.
func (b bucket) logFile(t *testing.T) string {
	t.Helper()
	for _, key := range b.keys() {
		if strings.Contains(key, "_CloudTrail_us-east-1_") && strings.HasSuffix(key, ".json.gz") {
			return filepath.Join(b.dir, filepath.FromSlash(key))
		}
	}
	t.Fatalf("there is no log file among %q", b.keys())
	return ""
}

// AWS's own command for it finds the exported files whole, and what was done to them.
func TestValidateLogs(t *testing.T) {
	t.Parallel()
	dir, at := exported(t)
	b := bucket{dir}
	store := httptest.NewServer(b)
	t.Cleanup(store.Close)
	validate := func() string {
		cmd := command(t, t.TempDir(), "aws", "cloudtrail", "validate-logs", "--verbose", "--start-time", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339),
			"--trail-arn", "arn:aws:cloudtrail:us-east-1:000000000000:trail/strongroom")
		cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL_CLOUDTRAIL="+at, "AWS_ENDPOINT_URL_S3="+store.URL)
		out, _ := cmd.CombinedOutput() // it fails when something is invalid
		return string(out)
	}
	if got := validate(); !strings.Contains(got, "digest files valid") || !strings.Contains(got, "log files valid") || strings.Contains(strings.ToUpper(got), "INVALID") {
		t.Errorf("of what was exported it says:\n%s", got)
	}
	file := b.logFile(t)
	whole := read(t, file)
	write(t, filepath.Dir(file), filepath.Base(file), altered(t, whole))
	if got := validate(); !strings.Contains(got, "INVALID: hash value doesn't match") {
		t.Errorf("of an altered event it says:\n%s", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := validate(); !strings.Contains(got, "INVALID: not found") {
		t.Errorf("of a log file that is missing it says:\n%s", got)
	}
}

// altered is a log file in which an event has another name.
func altered(t *testing.T, whole string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || !bytes.Contains(text, []byte("ListKeys")) {
		t.Fatalf("the log file has no ListKeys: %v\n%s", err, text)
	}
	var b strings.Builder
	w := gzip.NewWriter(&b)
	if _, err := w.Write(bytes.Replace(text, []byte("ListKeys"), []byte("ListTags"), 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// exported has a server write its trail into signed files, which it does when it stops,
// and starts it again. It returns where the files are and where it answers AWS clients.
func exported(t *testing.T) (dir, at string) {
	t.Helper()
	home := t.TempDir()
	first, url := startDev(t, home)
	list := command(t, t.TempDir(), "aws", "kms", "list-keys")
	list.Env = append(list.Env, "AWS_ENDPOINT_URL_KMS="+url)
	mustRun(t, list)
	if err := first.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	second, url := startDev(t, home)
	t.Cleanup(func() { _ = second.Stop(context.WithoutCancel(t.Context())) })
	found, err := filepath.Glob(filepath.Join(home, "*", "*", "AWSLogs"))
	nearer, _ := filepath.Glob(filepath.Join(home, "*", "AWSLogs"))
	if found = append(found, nearer...); err != nil || len(found) != 1 {
		t.Fatalf("the files of the trail are in %q, %v", found, err)
	}
	return filepath.Dir(found[0]), url
}

// startDev starts a development server of the test's own.
func startDev(t *testing.T, home string) (server *harness.Server, url string) {
	t.Helper()
	server, err := harness.StartDev(t.Context(), binary, home, "--aws-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if url = awsEndpoint(server); url == "" {
		t.Fatal("the development server does not say where AWS clients find it")
	}
	return server, url
}
