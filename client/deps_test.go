package client_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// An application that uses the package gets gRPC, the generated API and what
// these stand on, and needs no C compiler.
func TestThePackageStandsOnGRPCAndTheAPIOnly(t *testing.T) {
	allowed := []string{
		"google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc", "golang.org/x/",
		"github.com/strongroom-kms/strongroom/proto/strongroom/", "github.com/strongroom-kms/strongroom/client",
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	list.Stderr = t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	for _, p := range packages {
		if !hasAnyPrefix(p, allowed) {
			t.Errorf("the package stands on %s", p)
		}
	}
	if len(packages) < 10 {
		t.Errorf("go list names %d packages only", len(packages))
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
