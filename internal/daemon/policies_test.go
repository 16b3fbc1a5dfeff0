package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/internal/config"
)

// TestABadPolicyLeavesNothingBehind starts servers whose policies are wrong, which
// is found out before there is a journal.
func TestABadPolicyLeavesNothingBehind(t *testing.T) {
	const good = `{"Statement": {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}}`
	roles := []config.Principal{
		{ARN: "arn:aws:iam::000000000000:role/a/app", Policies: []string{"p"}},
		{ARN: "arn:aws:iam::000000000000:role/b/app", Policies: []string{"p"}},
	}
	for name, test := range map[string]struct {
		text       string
		principals []config.Principal
		words      string
	}{
		"malformed":              {"{}", nil, `reading the policy "p": FILE: policy: has no Statement`},
		"roles of the same name": {good, roles, `account 000000000000 has another role "app"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "p.json")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			c := &config.Config{DataDir: filepath.Join(dir, "data"), Policies: map[string]string{"p": file}, Principals: test.principals}
			err := Run(t.Context(), c, hclog.NewNullLogger(), Options{})
			if want := strings.ReplaceAll(test.words, "FILE", file); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
			if _, err := os.Stat(c.DataDir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the data directory: %v", err)
			}
		})
	}
}
