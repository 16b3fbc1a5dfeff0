package browser

import (
	"strings"

	"github.com/chromedp/chromedp/kb"
)

// controls is JavaScript for what a person can operate, or has to scroll, on the screen.
const controls = `Array.from(document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']"))
	.filter(e => !e.disabled && e.type !== "hidden" && e.checkVisibility({visibilityProperty: true}) && e.tabIndex >= 0)`

// noteFocus goes to the beginning of the document, and remembers from then on what gets the
// focus and shows it, by an outline or a shadow. It is how often Tab has to be pressed to come by
// all controls; those for dates have several fields.
const noteFocus = `(() => {
	window.reachedByTheTest = new Set();
	addEventListener("focusin", ({target}) => {
		const style = getComputedStyle(target);
		if (style.outlineStyle !== "none" || style.boxShadow !== "none") reachedByTheTest.add(target);
	});
	document.body.tabIndex = -1; // so that Tab goes on from there, and not from where the last click was
	document.body.focus();
	document.body.removeAttribute("tabindex");
	return ` + controls + `.reduce((n, e) => n + (/^(date|time)/.test(e.type) ? 8 : 1), 0);
})()`

// Unreachable returns the controls that the key Tab does not lead to, from the beginning of
// the document on, and those that it leads to but that do not show it.
func (p *Page) Unreachable() []string {
	p.tb.Helper()
	p.Press(strings.Repeat(kb.Tab, Value[int](p, noteFocus)))
	return Value[[]string](p, controls+`.filter(e => !reachedByTheTest.has(e) && !(e.type === "radio" && !e.checked)).map(e => e.outerHTML.slice(0, 200))`)
}
