package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
)

// Page is a tab. Its methods end the test if they fail; one goroutine uses it.
type Page struct {
	tb      testing.TB
	ctx     context.Context // chromedp's way of naming a tab
	origin  string
	trouble *problems
}

// Expect says that problems that match are no fault of the page.
func (p *Page) Expect(pattern string) {
	p.tb.Helper()
	p.trouble.mu.Lock()
	defer p.trouble.mu.Unlock()
	p.trouble.expected = append(p.trouble.expected, regexp.MustCompile(pattern))
}

// Requests returns the addresses of all requests so far.
func (p *Page) Requests() []string { return p.trouble.asked() }

// Go goes to an address: a path of the origin, or a URL.
func (p *Page) Go(address string) {
	p.tb.Helper()
	if address[0] == '/' {
		address = p.origin + address
	}
	p.do("going to "+address, chromedp.Navigate(address))
}

// Reload asks for the page anew.
func (p *Page) Reload() {
	p.tb.Helper()
	p.do("reloading", chromedp.Reload())
}

// Click clicks on the first element that a CSS selector finds, as soon as it is
// visible.
func (p *Page) Click(selector string) {
	p.tb.Helper()
	p.do("clicking on "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Follow is Click on something that leads to another document, and waits for that.
func (p *Page) Follow(selector string) {
	p.tb.Helper()
	p.mark()
	p.Click(selector)
	p.awaitOther()
}

// FollowLink follows the link that shows a text, within what a CSS selector finds.
func (p *Page) FollowLink(within, text string) {
	p.tb.Helper()
	p.mark()
	link := fmt.Sprintf("Array.from(document.querySelectorAll(%s)).find(a => a.innerText.trim() === %s)", quote(within+" a"), quote(text))
	p.Await(link)
	p.do("following "+text, chromedp.Click(chromedp.JSPath(link), chromedp.NodeVisible))
	p.awaitOther()
}

// Submit types a text into an input, in the place of what it has, presses Enter and waits
// for another document.
func (p *Page) Submit(selector, text string) {
	p.tb.Helper()
	p.Await(fmt.Sprintf("document.querySelector(%s).select() === undefined", quote(selector)))
	p.mark()
	p.Press(text + "\r")
	p.awaitOther()
}

// mark marks the document, so that awaitOther knows another one.
func (p *Page) mark() {
	p.tb.Helper()
	p.do("marking the document", chromedp.Evaluate[chromedp.Void]("window.leftByTheTest = true"))
}

func (p *Page) awaitOther() {
	p.tb.Helper()
	p.Await("!window.leftByTheTest && document.readyState === 'complete'")
}

// Press presses keys; package kb of chromedp has those that are no characters.
func (p *Page) Press(keys string) {
	p.tb.Helper()
	p.do("pressing a key", chromedp.KeyEvent(keys))
}

// Text returns the visible text of the first element that a CSS selector finds.
func (p *Page) Text(selector string) string {
	p.tb.Helper()
	return Value[string](p, fmt.Sprintf("(document.querySelector(%s) || {innerText: ''}).innerText", quote(selector)))
}

// Value evaluates a JavaScript expression in the page.
func Value[T any](p *Page, expression string) T {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.tb.Fatalf("evaluating %s: %v", expression, err)
	}
	return v
}

// Await waits until a JavaScript expression is true, in this document or in one that
// takes its place.
func (p *Page) Await(expression string) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(awaited, expression), chromedp.EvalAwaitPromise))
		if err == nil {
			return
		}
		if _, thrown := errors.AsType[*chromedp.ExceptionError](err); thrown || ctx.Err() != nil {
			p.tb.Fatalf("waiting for %s: %v; the page says:\n%s", expression, err, p.read())
		}
	}
}

// awaited resolves when an expression is true, which it looks at when the document or
// the focus changes. What the expression throws while a page is built is not so yet.
const awaited = `new Promise(resolve => {
	const observer = new MutationObserver(look);
	function holds() { try { return Boolean(%s); } catch { return false; } }
	function look() {
		if (!holds()) return;
		observer.disconnect();
		for (const e of events) removeEventListener(e, look, true);
		resolve(true);
	}
	const events = ["focusin", "load", "readystatechange"];
	for (const e of events) addEventListener(e, look, true);
	observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
	look();
})`

// AwaitText waits until the visible text of an element that a CSS selector finds matches a
// regular expression.
func (p *Page) AwaitText(selector, pattern string) {
	p.tb.Helper()
	p.Await(fmt.Sprintf("Array.from(document.querySelectorAll(%s)).some(e => new RegExp(%s).test(e.innerText))",
		quote(selector), quote(pattern)))
}

// read returns all visible text, for a test that has failed.
func (p *Page) read() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location + '\\n' + document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.tb.Fatalf("%s: %v", what, err)
	}
}

// quote returns a text as a JavaScript literal.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil { // no string can be the cause
		return `""`
	}
	return string(text)
}

// In returns the page for a part of the test.
func (p *Page) In(tb testing.TB) *Page {
	in := *p
	in.tb = tb
	return &in
}
