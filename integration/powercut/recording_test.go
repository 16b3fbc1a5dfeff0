package powercut

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// recording is a trace of a server and its client, and what it was about.
type recording struct {
	*history
	token harness.Token
	// earlier is what the client had noted before the trace.
	earlier []note
}

// The parts of a recording's directory.
const (
	siteDir    = "site"        // what the server works on
	beforeDir  = "before"      // a copy of it from before the trace
	copyDir    = "killed"      // a copy of it from when the server was killed
	notesFile  = "notes"       // what the client noted
	traceFile  = "trace"       // what strace wrote
	scriptFile = "script.json" // the script
)

// record makes a site in a directory and records three lives of its server. The
// first fills a segment of the journal and ends well, the second is killed under
// load.
func record(ctx context.Context, dir string) (*recording, error) {
	if err := os.Mkdir(filepath.Join(dir, siteDir), 0o700); err != nil {
		return nil, err
	}
	site, err := harness.NewSite(ctx, harness.Options{Binary: binary, Dir: filepath.Join(dir, siteDir)})
	if err != nil {
		return nil, err
	}
	return recordSite(ctx, dir, site, script{Lives: []life{stopped, killed, stopped}, Rounds: 2})
}

// recordAfter records, in a directory, a life of the server after a power cut.
func (r *recording) recordAfter(ctx context.Context, c *cut, dir string) (*recording, error) {
	site, err := r.rebuild(ctx, c, filepath.Join(dir, siteDir))
	if err != nil {
		return nil, err
	}
	return recordSite(ctx, dir, site, script{Lives: []life{stopped}, Rounds: 1, Earlier: r.notesUntil(c.at)})
}

// recordSite has a script run on a site under strace.
func recordSite(ctx context.Context, dir string, site *harness.Site, s script) (*recording, error) {
	if err := os.CopyFS(filepath.Join(dir, beforeDir), os.DirFS(filepath.Join(dir, siteDir))); err != nil {
		return nil, err
	}
	s.Dir, s.Binary, s.Config, s.Token = dir, binary, site.Config, *site.Token
	s.CA, s.Admin = site.CA.Cert, site.Identities[harness.Admin]
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, scriptFile), text, 0o600); err != nil {
		return nil, err
	}
	if err := runTraced(ctx, dir); err != nil {
		return nil, err
	}
	return replay(dir)
}

// runTraced runs the script of a directory in a process under strace.
func runTraced(ctx context.Context, dir string) error {
	calls := slices.Collect(maps.Keys(fileCalls))
	calls = slices.AppendSeq(calls, maps.Keys(nameCalls))
	cmd := exec.CommandContext(ctx, "strace", "-f", "--seccomp-bpf", "-y", "-s", "1048576", "-o", filepath.Join(dir, traceFile),
		"-e", "trace="+strings.Join(calls, ","), "-e", "signal=none", os.Args[0])
	cmd.Env = append(os.Environ(), scriptEnv+"="+filepath.Join(dir, scriptFile))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running the server under strace: %w\n%s", err, out)
	}
	return nil
}

// replay reads the recording in a directory.
func replay(dir string) (*recording, error) {
	s, err := readScript(filepath.Join(dir, scriptFile))
	if err != nil {
		return nil, err
	}
	h, err := newHistory(filepath.Join(dir, siteDir), filepath.Join(dir, beforeDir), filepath.Join(dir, notesFile))
	if err != nil {
		return nil, err
	}
	trace, err := os.Open(filepath.Join(dir, traceFile))
	if err != nil {
		return nil, err
	}
	defer trace.Close() //nolint:errcheck // it was only read
	if err := readTrace(trace, dir, h); err != nil {
		return nil, err
	}
	if err := h.root.compare(h.top); err != nil {
		return nil, fmt.Errorf("the trace has missed something: %w", err)
	}
	return &recording{history: h, token: s.Token, earlier: s.Earlier}, nil
}

// notesUntil returns what the client had noted before a position.
func (r *recording) notesUntil(at int) []note {
	notes := slices.Clone(r.earlier)
	for _, n := range r.notes {
		if n.at < at {
			notes = append(notes, n.note)
		}
	}
	return notes
}

// readScript reads a script from a file.
func readScript(path string) (s script, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the script: %w", err)
	}
	return s, nil
}
