package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/strongroom-kms/strongroom"

// arrows says which parts a part may import directly: the architecture. Every
// part may import itself and proto, which imports nothing of ours. Tests are
// free to import more.
var arrows = map[string][]string{
	"cmd":            {"internal", "server", "keystore", "hsmpool", "audit", "client"},
	"internal":       {"server", "keystore", "hsmpool", "audit", "client"},
	"server":         {"keystore"},
	"keystore":       {"hsmpool", "audit"},
	"hsmpool":        {"audit"},
	"audit":          {},
	"client":         {},
	"proto":          {},
	"strongroomtest": {"internal", "hsmpool", "audit", "client"},
	"integration":    {"cmd", "internal", "server", "keystore", "hsmpool", "audit", "client"},
}

// pkcs11Packages may be imported below hsmpool/worker only.
var pkcs11Packages = []string{"github.com/miekg/pkcs11", "github.com/eclipse-keypont/crypto11"}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath        string
	Imports, CgoFiles []string
}

// listPackages lists every package of the module, cgo files included.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,CgoFiles", "./...")
	list.Dir = ".."
	list.Env = append(os.Environ(), "CGO_ENABLED=1")
	list.Stderr = t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages
		case err != nil:
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// part is the top-level directory of a package of ours, "" for others.
func part(importPath string) string {
	rest, ours := strings.CutPrefix(importPath, module+"/")
	if !ours {
		return ""
	}
	top, _, _ := strings.Cut(rest, "/")
	return top
}

func below(importPath, dir string) bool {
	return importPath == module+"/"+dir || strings.HasPrefix(importPath, module+"/"+dir+"/")
}

// misplaced says what is wrong with an import, "" when nothing is.
func misplaced(importer, imported string) string {
	from, to := part(importer), part(imported)
	switch {
	case slices.Contains(pkcs11Packages, imported) && !below(importer, "hsmpool/worker"):
		return "only hsmpool/worker touches a PKCS#11 library"
	case imported == "C" && !below(importer, "hsmpool/worker"):
		return "only hsmpool/worker uses cgo"
	case to == "" || to == from || to == "proto":
		return ""
	case !slices.Contains(arrows[from], to):
		return "no arrow leads from " + from + " to " + to
	default:
		return ""
	}
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, p := range listPackages(t) {
		if _, known := arrows[part(p.ImportPath)]; !known {
			t.Errorf("%s: a new top-level directory needs its place among the arrows", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if fault := misplaced(p.ImportPath, imported); fault != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, fault)
			}
		}
		if len(p.CgoFiles) > 0 && !below(p.ImportPath, "hsmpool/worker") {
			t.Errorf("%s has cgo files %v: only hsmpool/worker uses cgo", p.ImportPath, p.CgoFiles)
		}
	}
}

// The check has to be able to fail.
func TestMisplacedImports(t *testing.T) {
	const (
		allowed = true
		refused = false
	)
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"cmd/strongroom", "server", allowed},
		{"server", "keystore", allowed},
		{"server/authn", "proto/describe", allowed},
		{"keystore", "hsmpool", allowed},
		{"keystore", "keystore/blob", allowed},
		{"hsmpool", "audit", allowed},
		{"audit", "proto/jsonenc", allowed},
		{"client/tinkkms", "client", allowed},
		{"strongroomtest", "internal/devserver", allowed},
		{"server", "hsmpool", refused},
		{"server", "audit", refused},
		{"keystore", "server", refused},
		{"hsmpool", "keystore", refused},
		{"audit", "hsmpool", refused},
		{"proto/describe", "keystore", refused},
		{"client", "keystore", refused},
		{"client", "internal/devpki", refused},
		{"server", "internal/config", refused},
		{"internal/daemon", "strongroomtest", refused},
	} {
		if got := misplaced(module+"/"+test.from, module+"/"+test.to) == ""; got != test.want {
			t.Errorf("%s -> %s: allowed %t, want %t", test.from, test.to, got, test.want)
		}
	}
	for _, imported := range append(slices.Clone(pkcs11Packages), "C") {
		for from, want := range map[string]bool{"hsmpool/worker": allowed, "hsmpool": refused, "hsmpool/workers": refused, "keystore": refused} {
			if got := misplaced(module+"/"+from, imported) == ""; got != want {
				t.Errorf("%s -> %s: allowed %t, want %t", from, imported, got, want)
			}
		}
	}
}

func TestCommandsBuildWithoutCgo(t *testing.T) {
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", filepath.Join(t.TempDir(), "out")+"/", "./cmd/...")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
