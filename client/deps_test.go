package client_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// An application that uses the packages gets gRPC, the generated API and what
// these stand on (and Tink, if it wants that), and needs no C compiler.
func TestWhatThePackagesStandOn(t *testing.T) {
	allowed := []string{
		"google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc", "golang.org/x/",
		"github.com/strongroom-kms/strongroom/proto/strongroom/", "github.com/strongroom-kms/strongroom/client",
	}
	standsOn(t, ".", allowed)
	standsOn(t, "./tinkkms", append(allowed, "github.com/tink-crypto/tink-go/v2"))
}

// standsOn checks all that a package needs, beside the standard library.
func standsOn(t *testing.T, pkg string, allowed []string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{len .CgoFiles}}{{end}}", pkg)
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	list.Stderr = t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		p, cgo, _ := strings.Cut(strings.TrimSpace(line), " ")
		if packages++; !hasAnyPrefix(p, allowed) || cgo != "0" {
			t.Errorf("%s stands on %s, which has %s cgo files", pkg, p, cgo)
		}
	}
	if packages < 10 {
		t.Errorf("go list names %d packages only", packages)
	}
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
