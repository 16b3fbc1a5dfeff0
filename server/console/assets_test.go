package console

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
)

// The files of others are those that the list says.
func TestFilesOfOthers(t *testing.T) {
	list, err := staticFiles.ReadFile("static/vendor/README.md")
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$`).FindAllStringSubmatch(string(list), -1) {
		sums[row[1]] = row[2]
	}
	files, err := staticFiles.ReadDir("static/vendor")
	if err != nil || len(files) != len(sums)+1 {
		t.Errorf("there are %d files beside the list of %d: %v", len(files)-1, len(sums), err)
	}
	for name, want := range sums {
		body, err := staticFiles.ReadFile("static/vendor/" + name)
		if err != nil {
			t.Error(err)
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s has the SHA-256 %x, want %s", name, sum, want)
		}
	}
}

// What a page loads is there, and of the right type.
func TestAssets(t *testing.T) {
	f := newFixture(t).signIn()
	page := f.get("/alarms", nil).Body.String()
	types := map[string]string{".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
	found := regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(found) < 4 {
		t.Errorf("the page loads %v", found)
	}
	for _, match := range found {
		w := f.get(match[1], nil)
		want := types[match[1][strings.LastIndexByte(match[1], '.'):]]
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), want) || w.Body.Len() == 0 {
			t.Errorf("%s: %d, %s, %d bytes", match[1], w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
	}
	if w := f.get("/static/../templates/layout.html", nil); w.Code == 200 {
		t.Error("a template is served")
	}
}
