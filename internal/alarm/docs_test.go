package alarm

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheDocumentsHaveTheTable compares docs/monitoring.md with the table.
func TestTheDocumentsHaveTheTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "<!-- alarms -->\n")
	got, _, _ := strings.Cut(rest, "<!-- /alarms -->")
	want := "| Alarm | Severity | After | |\n|---|---|---|---|\n"
	for _, a := range Table(DefaultSettings()) {
		want += fmt.Sprintf("| [%s](%s) | %s | %s | %s |\n", a.Name, strings.TrimPrefix(a.Runbook, "monitoring.md"), a.Severity, promDuration(a.For), a.Summary)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/monitoring.md has not the table of alarms (-want +got):\n%s", diff)
		t.Logf("it is:\n%s", want)
	}
}

// TestRunbooksAreThere looks for the parts of the documents that alarms point to.
func TestRunbooksAreThere(t *testing.T) {
	t.Parallel()
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped := regexp.MustCompile(`[^a-z0-9 _-]`)
	for _, a := range Table(DefaultSettings()) {
		file, anchor, _ := strings.Cut(a.Runbook, "#")
		text, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
		found := false
		for _, h := range heading.FindAllStringSubmatch(string(text), -1) {
			words := dropped.ReplaceAllString(strings.ToLower(h[1]), "")
			found = found || strings.ReplaceAll(words, " ", "-") == anchor
		}
		if !found {
			t.Errorf("%s: there is no part %s in docs/%s", a.Name, anchor, file)
		}
	}
}

// TestEachAlarmSaysWhatToDo reads the table.
func TestEachAlarmSaysWhatToDo(t *testing.T) {
	t.Parallel()
	name := ""
	for _, a := range Table(DefaultSettings()) {
		if a.Name <= name {
			t.Errorf("%s is not after %s", a.Name, name)
		}
		name = a.Name
		if !strings.HasSuffix(a.Summary, ".") || !strings.HasSuffix(a.Action, ".") {
			t.Errorf("%s: summary %q and action %q are not sentences", a.Name, a.Summary, a.Action)
		}
	}
}
