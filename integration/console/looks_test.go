package console

import (
	"testing"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// Each page fits its screen, in the light, in the dark and on a phone, and everybody can use
// it, also by the keyboard alone.
func TestLooks(t *testing.T) {
	t.Parallel()
	s, payroll := inhabited(t)
	page := s.signIn(t, harness.Admin, browser.Desktop)
	for _, c := range []struct {
		name, address, title string
		kept                 int64 // height of the picture in the documents; 0: there is none
	}{
		{"overview", "/", "Overview", 0},
		{"keys", "/keys", "Keys", 560},
		{"key", "/keys/" + keyID(payroll), "alias/payroll", 1300},
		{"key-stores", "/key-stores", "Key stores", 400},
		{"hsms", "/hsms", "HSMs", 900},
		{"hsm", "/hsms/" + hsmA, hsmA, 0},
		{"events", "/events", "Events", 900},
		{"request", "/requests/" + s.encrypt(t, payroll), "Request", 0},
		{"hsm-log", "/hsm-log", "HSM log", 800},
		{"alarms", "/alarms", "Alarms", 900},
		{"missing", "/no-such-page", "There is no such page", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := page.In(t)
			page.Show(browser.Desktop)
			if c.name == "missing" {
				page.Expect(refused)
			}
			page.Go(c.address)
			page.AwaitText("h1", c.title)
			page.Await(plotsDrawn)
			page.Await(ratesShown)
			requireUsable(t, page)
			if c.kept > 0 {
				picture(t, page, c.name, browser.Desktop, c.kept)
			}
			page.Show(browser.Dark)
			requireContrast(t, page)
			page.Show(browser.Phone)
			requireFits(t, page)
		})
	}
}

// plotsDrawn is whether the page has no plots, or at least one has values.
const plotsDrawn = `document.querySelectorAll("[data-plot]").length === 0 ||
	document.querySelector("[data-points]:not([data-points='0'])")`

// ratesShown is whether the page has no rates, which need two samples, or they are shown.
const ratesShown = `Array.from(document.querySelectorAll("[data-live$=per-second]")).every(e => /\d/.test(e.innerText))`
