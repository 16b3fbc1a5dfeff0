package clients

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// awsCLI2 is version 2 of the AWS command line, as Debian has it: version 1, which the other
// tests run, has no `aws logs tail`.
const awsCLI2 = "/usr/bin/aws"

// tail is `aws logs tail` of the log of the HSM that has the keys of this server.
func tail(t *testing.T, options ...string) *exec.Cmd {
	t.Helper()
	run := func(args ...string) *exec.Cmd {
		return command(t, t.TempDir(), awsCLI2, append([]string{"--endpoint-url", endpoint}, args...)...)
	}
	groups := mustRun(t, run("cloudhsmv2", "describe-clusters", "--query", "Clusters[?ClusterId!='cluster-strongroomdev'].ClusterId", "--output", "text"))
	group := "/aws/cloudhsm/" + strings.Fields(groups)[0]
	return run(append([]string{"logs", "tail", group, "--filter-pattern", "CN_GENERATE_KEY"}, options...)...)
}

// generated is how `aws logs tail` prints the entry of the HSM log that a new key leaves.
var generated = regexp.MustCompile(`(?m)^\S+\+00:00 hsm-\w+ Time: .*usecs:\d+\n(.*\n)*?Opcode : CN_GENERATE_KEY \(0x17\)\n`)

func TestTheTailOfAnHSMsLog(t *testing.T) {
	t.Parallel()
	newKey(t)
	if got := mustRun(t, tail(t, "--since", "1h")); !generated.MatchString(got) {
		t.Errorf("it prints\n%s\nwithout %s", got, generated)
	}
}

// What it follows comes while it runs. It is interrupted when it has printed the generation of a
// key that was made after it had begun to print.
func TestFollowingAnHSMsLog(t *testing.T) {
	t.Parallel()
	newKey(t)
	cmd := tail(t, "--since", "1h", "--follow")
	cmd.Env = append(cmd.Env, "PYTHONUNBUFFERED=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	printed := generatedAfter(t, lines, time.Time{})
	if !printed.IsZero() {
		now := time.Now()
		newKey(t)
		printed = generatedAfter(t, lines, now)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); printed.IsZero() {
		t.Errorf("no new key is told of: %v\n%s", err, &stderr)
	}
}

// generatedAfter reads on to the generation of a key after a time, and returns when it was; zero if
// there is none.
func generatedAfter(t *testing.T, lines *bufio.Scanner, after time.Time) (at time.Time) {
	t.Helper()
	for lines.Scan() {
		if _, usecs, ok := strings.Cut(lines.Text(), "usecs:"); ok {
			n, err := strconv.ParseInt(usecs, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			at = time.UnixMicro(n)
		}
		if strings.HasPrefix(lines.Text(), "Opcode : CN_GENERATE_KEY (0x17)") && at.After(after) {
			return at
		}
	}
	return time.Time{}
}
