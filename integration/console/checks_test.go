package console

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
)

// axe is the source of axe-core, which finds what keeps people from using a page.
var axe = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("../../.tools/axe/node_modules/axe-core/axe.min.js")
	return string(text), err
})

// requireAccessible fails for each rule of the WCAG, levels A and AA, and each of axe's best practices
// that the page breaks: labels, names and roles, order of headings, contrast and the like.
func requireAccessible(t *testing.T, page *browser.Page) {
	t.Helper()
	requireRules(t, page, "")
}

// requireContrast fails if texts are hard to read before what they stand on.
func requireContrast(t *testing.T, page *browser.Page) {
	t.Helper()
	requireRules(t, page, `runOnly: ["color-contrast"],`)
}

func requireRules(t *testing.T, page *browser.Page, options string) {
	t.Helper()
	source, err := axe()
	if err != nil {
		t.Fatalf("axe-core is missing; `make .tools/axe/installed` gets it: %v", err)
	}
	browser.Value[bool](page, "(() => {"+source+"; return true; })()")
	const broken = `axe.run({%s resultTypes: ["violations"]}).then(r => r.violations.flatMap(v =>
		v.nodes.map(n => v.id + ": " + n.failureSummary + " " + n.html.slice(0, 300))))`
	for _, violation := range browser.Value[[]string](page, fmt.Sprintf(broken, options)) {
		t.Errorf("%s: not everybody can use it: %s", where(page), violation)
	}
}

// requireFits fails if the page has to be scrolled sideways.
func requireFits(t *testing.T, page *browser.Page) {
	t.Helper()
	const tooWide = `document.documentElement.scrollWidth <= innerWidth ? [] :
		Array.from(document.body.querySelectorAll("*")).filter(e => e.getBoundingClientRect().right > innerWidth + 1)
			.map(e => e.outerHTML.slice(0, 120)).slice(-5)`
	if wide := browser.Value[[]string](page, tooWide); len(wide) > 0 {
		t.Errorf("%s: wider than the screen: %s", where(page), strings.Join(wide, "\n"))
	}
}

// requireKeyboard fails if something can only be operated by a mouse.
func requireKeyboard(t *testing.T, page *browser.Page) {
	t.Helper()
	if all := page.Unreachable(); len(all) > 0 {
		t.Errorf("%s: the keyboard does not lead to %d controls, or does not show that it has: %s", where(page), len(all), all[0])
	}
}

// requireUsable is all of these.
func requireUsable(t *testing.T, page *browser.Page) {
	t.Helper()
	requireAccessible(t, page)
	requireFits(t, page)
	requireKeyboard(t, page)
}

func where(page *browser.Page) string { return browser.Value[string](page, "location.pathname") }
