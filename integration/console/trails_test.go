package console

import (
	"fmt"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// A request is found by its id, with the entries that it has left in the HSM's log. Who
// follows the events sees what comes, without loading the page again.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "").start(t)
	key := s.newKey(t, "alias/payroll", new(kmsv1.CreateKeyRequest))
	page := s.signIn(t, harness.Admin, browser.Desktop)
	visit(page, "Events")

	request := s.encrypt(t, key)
	page.Click("#more summary")
	page.Submit("#field-request", request)
	row := fmt.Sprintf("tr[data-request=%q]", request)
	page.AwaitText(row, "Encrypt[^]*OK")
	requireRows(t, page, 1)

	page.Go("/events")
	page.Press("/")
	page.Submit("#q:focus", "CreateKey")
	requireRows(t, page, 1)
	page.Follow("tr[data-event=CreateKey] td[data-label=Request] a")
	page.AwaitText("#event", `"eventName": "CreateKey"`)
	page.AwaitText("#entries", "CN_GENERATE_KEY")

	page.Go("/events?name=Encrypt")
	stay(page)
	page.Click("#follow")
	page.AwaitText("#live", "Following")
	next := s.encrypt(t, key)
	page.AwaitText(fmt.Sprintf("tr[data-request=%q]", next), "Encrypt")
	requireStayed(t, page)
	requireUsable(t, page)
}

// The HSM's log has what a request has made it do, and can be followed.
func TestHSMLog(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "").start(t)
	page := s.signIn(t, harness.Admin, browser.Desktop)
	visit(page, "HSM log")
	page.AwaitText("tr[data-opcode=CN_LOGIN]", "OK")
	stay(page)
	page.Click("#follow")
	page.AwaitText("#live", "Following")
	key := s.newKey(t, "alias/payroll", new(kmsv1.CreateKeyRequest))
	page.AwaitText("tr[data-opcode=CN_GENERATE_KEY]", keyID(key)[:8])
	requireStayed(t, page)
	page.Click("#follow")
	page.AwaitText("#live", "Not following")

	page.Go("/hsm-log")
	page.Submit("#field-key", key)
	requireRows(t, page, 1)
	page.Follow("tr[data-opcode=CN_GENERATE_KEY] td[data-label=Request] a")
	page.AwaitText("#event", `"eventName": "CreateKey"`)
	page.AwaitText("#entries", "CN_GENERATE_KEY")

	visit(page, "HSMs")
	page.Follow("[data-hsm] a")
	page.AwaitText("#call-table tr[data-function=C_GenerateKey]", "CKM_AES_KEY_GEN[^]*CKR_OK")

	page.Expect("answer 400|status of 400")
	page.Go("/hsm-log?filter=entry.rv+is+160")
	page.AwaitText("main [role=alert]", "Syntax error")
}

// requireRows waits until a search has found so many records.
func requireRows(t *testing.T, page *browser.Page, n int) {
	t.Helper()
	page.Await("document.querySelector('tbody[data-rows]')")
	if got := browser.Value[int](page, "document.querySelectorAll('tbody[data-rows] tr').length"); got != n {
		t.Errorf("%s has %d rows, want %d: %s", where(page), got, n, page.Text("main"))
	}
}

// stay marks a document, and requireStayed fails if it is another one by now.
func stay(page *browser.Page) { browser.Value[bool](page, "window.stayed = true") }

func requireStayed(t *testing.T, page *browser.Page) {
	t.Helper()
	if !browser.Value[bool](page, "Boolean(window.stayed)") {
		t.Errorf("%s was loaded again", where(page))
	}
}
