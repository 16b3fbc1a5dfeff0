package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// The scripts walk through the product as a user at a shell does. Each has a
// server of its own and is its admin; $USER_CERT and $USER_KEY make it the user
// instead, $DATA is the server's data directory.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setUpScript(t, env) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"flip":   flip,
			"setenv": setenv,
		},
	})
}

// setUpScript starts the script's server.
func setUpScript(t *testing.T, env *testscript.Env) error {
	dir := filepath.Join(env.WorkDir, ".site")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	ctx := within(t, time.Minute)
	site, err := harness.NewSite(ctx, harness.Options{Binary: binary, Dir: dir})
	if err != nil {
		return err
	}
	server, err := site.Start(ctx)
	if err != nil {
		return err
	}
	env.Defer(func() { stop(t, server.Process) })
	env.Vars = append(env.Vars, clientEnv(site, server, harness.Admin)...)
	user, auditor := site.Identities[harness.User], site.Identities[harness.Auditor]
	env.Setenv("USER_CERT", user.Cert)
	env.Setenv("USER_KEY", user.Key)
	env.Setenv("AUDITOR_CERT", auditor.Cert)
	env.Setenv("AUDITOR_KEY", auditor.Key)
	env.Setenv("DATA", site.DataDir)
	env.Setenv("CONFIG", site.Config)
	env.Setenv("PATH", filepath.Dir(binary)+":"+env.Getenv("PATH"))
	return nil
}

// flip flips a bit in the middle of the first place in a file where a text
// stands: `flip file text`.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip file text")
	}
	path := ts.MkAbs(args[0])
	content, err := os.ReadFile(path)
	ts.Check(err)
	at := strings.Index(string(content), args[1])
	if at < 0 {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, altered(content, at+len(args[1])/2), 0o600))
}

// setenv sets a variable to the last command's standard output, or a file's
// content, without its last newline: `setenv NAME file`.
func setenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv NAME file")
	}
	ts.Setenv(args[0], strings.TrimSuffix(ts.ReadFile(args[1]), "\n"))
}
