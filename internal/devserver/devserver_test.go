package devserver

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/internal/config"
)

// options prepare a data directory with an odd name, and need no SoftHSM.
func options(t *testing.T) Options {
	t.Helper()
	library := filepath.Join(t.TempDir(), "libsofthsm2.so")
	if err := os.WriteFile(library, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return Options{
		DataDir: filepath.Join(t.TempDir(), "it's a dir"),
		Listen:  "127.0.0.1:7400",
		Library: library,
		Logger:  hclog.NewNullLogger(),
	}
}

func mustPrepare(t *testing.T, o Options) *Site {
	t.Helper()
	l, err := prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOnlyLoopbackAddressesAreServed(t *testing.T) {
	tests := []struct {
		address string
		ok      bool
	}{
		{"127.0.0.1:7400", true},
		{"127.1.2.3:0", true},
		{"[::1]:7400", true},
		{"localhost:7400", true},
		{":7400", false},
		{"0.0.0.0:7400", false},
		{"[::]:7400", false},
		{"192.0.2.1:7400", false},
		{"example.com:7400", false},
		{"127.0.0.1", false},
	}
	for _, tc := range tests {
		if err := requireLoopback("--listen", tc.address); (err == nil) != tc.ok {
			t.Errorf("%s: %v, want allowed: %v", tc.address, err, tc.ok)
		}
	}
}

func TestFindLibrary(t *testing.T) {
	dir := t.TempDir()
	library := filepath.Join(dir, "x86_64", "libsofthsm2.so")
	if err := os.MkdirAll(filepath.Dir(library), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(library, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, given string
		patterns    []string
		want, err   string
	}{
		{"found", "", []string{dir + "/none.so", dir + "/*/libsofthsm2.so"}, library, ""},
		{"given", library, nil, library, ""},
		{"given but missing", dir + "/none.so", []string{library}, "", "no such file"},
		{"not installed", "", []string{dir + "/none.so"}, "", "apt-get install softhsm2"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := findLibrary(tc.given, tc.patterns)
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestASecondStartKeepsWhatTheFirstMade(t *testing.T) {
	o := options(t)
	o.Clusters = []ClusterOptions{{ID: clusterID}}
	mustPrepare(t, o)
	before := contents(t, o.DataDir)
	mustPrepare(t, o)
	if diff := cmp.Diff(before, contents(t, o.DataDir)); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
	cluster := filepath.Join("clusters", clusterID)
	for _, name := range []string{"pin", "so-pin", cluster + "/pin", cluster + "/so-pin", cluster + "/ca-key.pem", "tls/ca-key.pem", "tls/server-key.pem", "tls/admin-key.pem", "tls/app-key.pem"} {
		if info, err := os.Stat(filepath.Join(o.DataDir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if before["pin"] == before["so-pin"] || before["pin"] == before[cluster+"/pin"] || len(before["pin"]) < 27 {
		t.Error("the PINs are not random")
	}
}

// contents maps the files of a directory to what is in them.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir+"/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestOnlyNamesThatMakeFilesOfTheirOwnArePrincipals(t *testing.T) {
	for name, ok := range map[string]bool{
		"billing": true, "web-1": true, "": false, "ca": false, "server": false, "../admin": false, "a/b": false, "a b": false,
	} {
		o := options(t)
		o.Principals = []Principal{{Name: name, Policies: []string{"user"}}}
		if _, err := prepare(o); (err == nil) != ok {
			t.Errorf("%q: %v, want allowed: %t", name, err, ok)
		}
	}
}

func TestWhatAClientNeeds(t *testing.T) {
	s := mustPrepare(t, options(t))
	want := client.Config{CACert: s.path("tls/ca.pem"), ClientCert: s.path("tls/app.pem"), ClientKey: s.path("tls/app-key.pem")}
	if got, err := s.Connection("app"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := s.Connection("nobody"); err == nil {
		t.Error("a principal that is not there has files")
	}
}

func TestTheConfigurationIsGood(t *testing.T) {
	o := options(t)
	c, err := mustPrepare(t, o).config(o)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Principal{
		{ARN: "arn:aws:iam::000000000000:user/admin", Names: []string{"spiffe://strongroom.internal/dev/admin"}, Policies: []string{"admin"}},
		{ARN: "arn:aws:iam::000000000000:user/app", Names: []string{"spiffe://strongroom.internal/dev/app"}, Policies: []string{"user"}},
		{ARN: "arn:aws:iam::000000000000:user/auditor", Names: []string{"spiffe://strongroom.internal/dev/auditor"}, Policies: []string{"auditor"}},
	}
	if diff := cmp.Diff(want, c.Principals); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
