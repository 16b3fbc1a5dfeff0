package cli_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/cmd/internal/cli"
)

// result is what a command left.
type result struct {
	status         int
	stdout, stderr string
}

// run runs a command in this process.
func run(ctx context.Context, variables map[string]string, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	status := cli.Main(ctx, args, process(variables, strings.NewReader(stdin), &stdout, &stderr))
	return result{status, stdout.String(), stderr.String()}
}

func process(variables map[string]string, stdin io.Reader, stdout, stderr io.Writer) cli.Process {
	return cli.Process{
		Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Getenv: func(name string) string { return variables[name] },
	}
}

func TestExitStatus(t *testing.T) {
	variables := startFake(t)
	tests := []struct {
		args string
		want int
	}{
		{"version", 0},
		{"--help", 0},
		{"key create --help", 0},
		{"key list", 0},
		{"key describe " + fakeKeyID, 0},
		{"key describe nosuch", 1},
		{"check-config none.yaml", 1},
		{"file open none.sealed", 1},
		{"key list --address 127.0.0.1:1", 1},
		{"frobnicate", 2},
		{"key", 2},
		{"key describe", 2},
		{"key describe a b", 2},
		{"random many", 2},
		{"random 0", 2},
		{"datakey --key k --bytes 0", 2},
		{"datakey --key k --bytes -1", 2},
		{"key list --timeout 0s", 2},
		{"key list --address localhost", 2},
		{"events show --all --last 5", 2},
		{"decrypt --key= none", 2},
		{"key enable", 2},
		{"key enable nosuch", 1},
		{"key schedule-deletion k --days 6", 2},
		{"alias create payroll k", 2},
		{"alias delete alias/none", 1},
		{"hsm orphans", 0},
		{"policy simulate --principal arn:alice --action kms:Encrypt --key " + fakeKeyID, 0},
		{"policy simulate --principal arn:alice", 2},
		{"key-store connect cks-locked --wait", 3},
		{"key-store connect cks-slow --wait --timeout 300ms", 1},
		{"decrypt --context nonsense", 2},
		{"file open none", 2},
	}
	for _, tc := range tests {
		t.Run(tc.args, func(t *testing.T) {
			got := run(t.Context(), variables, "", strings.Fields(tc.args)...)
			if got.status != tc.want {
				t.Errorf("status %d, want %d; stderr: %s", got.status, tc.want, got.stderr)
			}
			if lines := strings.Count(got.stderr, "\n"); lines != min(tc.want, 1) {
				t.Errorf("%d lines on stderr:\n%s", lines, got.stderr)
			}
		})
	}
}

func TestMissingConnectionIsUsage(t *testing.T) {
	got := run(t.Context(), nil, "", "key", "list")
	want := "strongroom: key list: needs --address or $STRONGROOM_ADDRESS\n"
	if got.status != 2 || got.stderr != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

func TestAnInterruptEndsTailWell(t *testing.T) {
	variables := startFake(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var stderr bytes.Buffer
	stdout := writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "r-2") { // the last of what there is
			interrupt()
		}
		return len(p), nil
	})
	status := cli.Main(ctx, []string{"events", "tail"}, process(variables, nil, stdout, &stderr))
	if status != 0 || stderr.Len() > 0 {
		t.Errorf("status %d, stderr %q", status, stderr.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAnInterruptFailsOtherCommands(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	got := run(ctx, startFake(t), "", "key", "list")
	if want := "strongroom: key list: interrupted\n"; got.status != 1 || got.stderr != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

func TestTimeout(t *testing.T) {
	got := run(t.Context(), startFake(t), "", "key", "list", "--timeout", "1ns")
	if want := "strongroom: key list: no answer within 1ns (--timeout)\n"; got.status != 1 || got.stderr != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

func TestAFullPipeIsAnError(t *testing.T) {
	var stderr bytes.Buffer
	full := writerFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe })
	status := cli.Main(t.Context(), []string{"random"}, process(startFake(t), nil, full, &stderr))
	if status != 1 || !strings.Contains(stderr.String(), "closed pipe") {
		t.Errorf("status %d, stderr %q", status, stderr.String())
	}
}
