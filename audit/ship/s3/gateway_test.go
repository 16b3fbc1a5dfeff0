package s3

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// gatewayProgram is a server of S3 that checks signatures and MD5s; make builds it.
const gatewayProgram = "../../../.tools/versitygw"

const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "secret-of-the-tests"
)

// gateway is a server of S3 over a directory, which outlives it.
type gateway struct {
	address, dir string
	command      *exec.Cmd
}

// newGateway returns a gateway that is not started, with a bucket.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	if _, err := os.Stat(gatewayProgram); errors.Is(err, os.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no .tools/versitygw: run make .tools/versitygw")
		}
		t.Skip("there is no .tools/versitygw: run make .tools/versitygw")
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	g := &gateway{address: l.Addr().String(), dir: t.TempDir()}
	must(t, l.Close())
	for _, dir := range []string{"root", "sidecar"} {
		must(t, os.Mkdir(filepath.Join(g.dir, dir), 0o700))
	}
	t.Cleanup(g.stop)
	g.start(t)
	must(t, g.client(t).MakeBucket(t.Context(), "trails", minio.MakeBucketOptions{}))
	return g
}

func (g *gateway) start(t *testing.T) {
	t.Helper()
	g.command = exec.Command(gatewayProgram, "--port", g.address, "--access", accessKey, "--secret", secretKey, "--quiet",
		"posix", "--sidecar", filepath.Join(g.dir, "sidecar"), filepath.Join(g.dir, "root"))
	must(t, g.command.Start())
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.address)
		if err == nil {
			must(t, c.Close())
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the gateway does not listen: %v", err)
		}
	}
}

func (g *gateway) stop() {
	if g.command != nil {
		_ = g.command.Process.Kill()
		_ = g.command.Wait()
		g.command = nil
	}
}

func (g *gateway) client(t *testing.T) *minio.Client {
	t.Helper()
	c, err := minio.New(g.address, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath})
	must(t, err)
	return c
}

// objects returns the objects of the bucket.
func (g *gateway) objects(t *testing.T) map[string]minio.ObjectInfo {
	t.Helper()
	c, all := g.client(t), map[string]minio.ObjectInfo{}
	for o := range c.ListObjects(context.Background(), "trails", minio.ListObjectsOptions{Recursive: true}) {
		must(t, o.Err)
		info, err := c.StatObject(context.Background(), "trails", o.Key, minio.StatObjectOptions{})
		must(t, err)
		all[o.Key] = info
	}
	return all
}

// content returns what an object holds, which is a file of the gateway's directory.
func (g *gateway) content(t *testing.T, key string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(g.dir, "root", "trails", key))
	must(t, err)
	return content
}

// plant puts an object into the bucket behind the sink's back.
func (g *gateway) plant(t *testing.T, key, content string) {
	t.Helper()
	_, err := g.client(t).PutObject(t.Context(), "trails", key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	must(t, err)
}
