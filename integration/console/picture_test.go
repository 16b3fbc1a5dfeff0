package console

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
)

// documents is where the documents are, and pictures where theirs are.
const (
	documents = "../../docs"
	pictures  = documents + "/images"
)

// mostPicture is the most bytes that a picture may have: they stay in the repository for ever.
const mostPicture = 150 << 10

// picture keeps the page, on a screen so high, as a picture of the documents, if that was asked
// for.
func picture(t *testing.T, page *browser.Page, name string, on browser.Screen, height int64) {
	t.Helper()
	if !*updateScreenshots {
		return
	}
	higher := on
	higher.Height = height
	page.Show(higher)
	defer page.Show(on)
	if err := os.WriteFile(filepath.Join(pictures, name+".png"), page.Picture(), 0o644); err != nil { //nolint:gosec // for everybody
		t.Fatal(err)
	}
}

var imagePattern = regexp.MustCompile(`\]\((?:docs/)?images/([a-z0-9-]+\.png)\)`)

// The pictures that the documents show are there and small, and there are no others.
func TestPicturesOfTheDocuments(t *testing.T) {
	var shown []string
	files, err := filepath.Glob(documents + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, documents+"/../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range imagePattern.FindAllSubmatch(text, -1) {
			shown = append(shown, string(found[1]))
		}
	}
	for _, name := range shown {
		info, err := os.Stat(filepath.Join(pictures, name))
		if err != nil {
			t.Error(err)
		} else if info.Size() > mostPicture {
			t.Errorf("%s has %d bytes, more than %d", name, info.Size(), mostPicture)
		}
	}
	kept, err := os.ReadDir(pictures)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range kept {
		if !slices.Contains(shown, file.Name()) {
			t.Errorf("no document shows %s", file.Name())
		}
	}
}
