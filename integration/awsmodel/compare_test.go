package awsmodel_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// The API is the model, but for the differences that are meant: whatever one has
// and the other lacks is among them, and they are all there.
func TestTheAPIIsTheModel(t *testing.T) {
	theirs, ours := load(t).facts(), apiFacts(t)
	unmet := reasons()
	for _, path := range differing(theirs, ours) {
		meant := covering(reasons(), path)
		delete(unmet, meant)
		if meant == "" {
			t.Errorf("%s\n  model: %s\n  API:   %s", path, theirs[path], ours[path])
		}
	}
	for path, reason := range unmet {
		t.Errorf("%s is no difference any more (%s)", path, reason)
	}
}

// differing returns what is not said of both alike.
func differing(theirs, ours facts) []string {
	all := maps.Clone(theirs)
	maps.Copy(all, ours)
	maps.DeleteFunc(all, func(path, _ string) bool { return theirs[path] == ours[path] })
	return slices.Sorted(maps.Keys(all))
}

// covering returns the difference that covers path, empty if there is none.
func covering(differences map[string]string, path string) string {
	if _, exactly := differences[path]; exactly {
		return path
	}
	for d := range differences {
		if whole, all := strings.CutSuffix(d, "*"); all && strings.HasPrefix(path+" ", whole) {
			return d
		}
	}
	return ""
}

// A comparison that finds nothing must be one that could have.
func TestDifferencesAreFound(t *testing.T) {
	theirs := facts{"Op": "a", "Op error E": "declared", "S M size": "1..2"}
	ours := facts{"Op": "a", "Op error F": "declared", "S M size": "1..3"}
	got := differing(theirs, ours)
	if want := []string{"Op error E", "Op error F", "S M size"}; !slices.Equal(got, want) {
		t.Errorf("differences: %q, want %q", got, want)
	}
	meant := map[string]string{"S *": "all of it", "Op": "only this"}
	for path, want := range map[string]string{"S": "S *", "S M size": "S *", "SM size": "", "Op": "Op", "Op error E": ""} {
		if got := covering(meant, path); got != want {
			t.Errorf("%q is covered by %q, want %q", path, got, want)
		}
	}
}
