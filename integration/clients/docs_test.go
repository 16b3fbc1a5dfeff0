package clients

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// examplesOf are the files that a kind of block in docs/clients.md is from. (Those
// of Go are compared by package client.)
func examplesOf(kind string) string {
	return map[string]string{"sh": "sh/*.sh", "python": "python/*.py", "js": "js/*.mjs", "hcl": "*.hcl"}[kind]
}

// What docs/clients.md shows is what the tests here run.
func TestTheDocumentationsExamplesRun(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(read(t, "../../docs/clients.md"), -1)
	found := 0
	for _, block := range blocks {
		kind, text := block[1], block[2]
		if kind == "go" {
			continue
		}
		found++
		files, err := filepath.Glob(examplesOf(kind))
		if err != nil || len(files) == 0 {
			t.Errorf("docs/clients.md has a block of kind %q, of which there are no examples", kind)
		}
		if !isIn(t, files, text) {
			t.Errorf("docs/clients.md: no example has\n%s", text)
		}
	}
	if found < 8 {
		t.Errorf("docs/clients.md has %d blocks", found)
	}
}

func isIn(t *testing.T, files []string, text string) bool {
	t.Helper()
	for _, file := range files {
		if strings.Contains(read(t, file), text) {
			return true
		}
	}
	return false
}

// The file that `strongroom dev` writes for a shell has what sh/env.sh has.
func TestTheDevelopmentServersFilePointsHere(t *testing.T) {
	t.Parallel()
	file := read(t, filepath.Join(dataDir, "env"))
	for _, line := range pointHere(t) {
		name, value, _ := strings.Cut(line, "=")
		if want := "export " + name + "='" + value + "'\n"; !strings.Contains(file, want) {
			t.Errorf("it lacks %q:\n%s", want, file)
		}
	}
}
