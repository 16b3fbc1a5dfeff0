package harness

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
)

var bannerPattern = regexp.MustCompile(`Strongroom serves on (127\.0\.0\.1:\d+)`)

// StartDev starts `strongroom dev` on a data directory and a free port, with
// further arguments, and waits until it serves.
func StartDev(ctx context.Context, binary, dataDir string, args ...string) (*Server, error) {
	args = append([]string{"dev", "--data-dir", dataDir, "--listen", "127.0.0.1:0"}, args...)
	p, err := Spawn(exec.CommandContext(context.WithoutCancel(ctx), binary, args...)) // it outlives its start
	if err != nil {
		return nil, err
	}
	line, err := p.Stdout.Await(ctx, p.exited, "Strongroom serves on")
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("starting the development server: %w\n%s", err, p.Stderr)
	}
	found := bannerPattern.FindStringSubmatch(line)
	if found == nil {
		p.Kill()
		return nil, fmt.Errorf("the development server's banner names no address: %s", line)
	}
	return &Server{Process: p, Address: found[1]}, nil
}

// DialDev connects to a development server as its admin.
func DialDev(address, dataDir string) (*Client, error) {
	tls := filepath.Join(dataDir, "tls")
	return Dial(address, filepath.Join(tls, "ca.pem"),
		&Identity{Cert: filepath.Join(tls, "admin.pem"), Key: filepath.Join(tls, "admin-key.pem")})
}
