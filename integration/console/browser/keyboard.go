package browser

import "github.com/chromedp/chromedp/kb"

// controls is JavaScript for what a person can operate, or has to scroll, on the screen.
const controls = `Array.from(document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']"))
	.filter(e => !e.disabled && e.type !== "hidden" && e.checkVisibility({visibilityProperty: true}) && e.tabIndex >= 0)`

// Unreachable returns the controls that the key Tab does not lead to, from the beginning of
// the document on, and those that it leads to but that do not show it.
func (p *Page) Unreachable() []string {
	p.tb.Helper()
	const setUp = `(() => {
		document.activeElement.blur();
		getSelection().removeAllRanges();
		window.reachedByTheTest = new Set();
		return ` + controls + `.length;
	})()`
	for range Value[int](p, setUp) + 1 {
		p.Press(kb.Tab)
		if !Value[bool](p, noteFocus) {
			break
		}
	}
	return Value[[]string](p, controls+`.filter(e => !reachedByTheTest.has(e) && !(e.type === "radio" && !e.checked)).map(e => e.outerHTML.slice(0, 200))`)
}

// noteFocus is whether the focus is at something new, and remembers it if it can be seen:
// it has an outline or a shadow.
const noteFocus = `(() => {
	const e = document.activeElement, style = getComputedStyle(e);
	if (e === document.body || reachedByTheTest.has(e)) return false;
	if (style.outlineStyle === "none" && style.boxShadow === "none") return true;
	reachedByTheTest.add(e);
	return true;
})()`
