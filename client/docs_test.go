package client_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The Go code in the documentation is code that runs as a test.
func TestTheDocumentationsCodeRuns(t *testing.T) {
	files, err := filepath.Glob("../integration/clients/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tested := ""
	for _, file := range append(files, "example_test.go", "tinkkms/example_test.go", "../strongroomtest/docs_test.go") {
		tested += read(t, file)
	}
	block := regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	found := 0
	for _, file := range []string{"../docs/clients.md", "../docs/testing.md"} {
		for _, m := range block.FindAllStringSubmatch(read(t, file), -1) {
			if found++; !strings.Contains(tested, m[1]) {
				t.Errorf("%s: no example has this code:\n%s", file, m[1])
			}
		}
	}
	if found < 4 {
		t.Errorf("the documentation has %d blocks of Go", found)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
