package console

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// Numbers and plots of the overview move with the requests of another client, without the
// page being loaded again.
func TestOverviewIsLive(t *testing.T) {
	t.Parallel()
	s, key := inhabited(t)
	page := s.signIn(t, harness.Admin, browser.Desktop)
	dark, phone := s.signIn(t, harness.Admin, browser.Dark), s.signIn(t, harness.Admin, browser.Phone)
	page.AwaitText("#live", "^Live$")
	stay(page)
	before := requestsPlot(page, "points")

	s.load(t, key)
	page.Await(`parseFloat(document.querySelector("[data-live=requests-per-second]").innerText.replaceAll(",", "")) > 20`)
	page.Await(fmt.Sprintf("Number(%s.points) >= %d", requests, before+2))
	if last := requestsPlot(page, "last"); last <= 20 {
		t.Errorf("the plot ends at %d requests per second", last)
	}
	requireStayed(t, page)
	picture(t, page, "overview", browser.Desktop, 1500)
	picture(t, dark, "overview-dark", browser.Dark, 1300)
	picture(t, phone, "overview-phone", browser.Phone, 1100)
}

// requests is JavaScript for the data of the plot of requests.
const requests = `document.querySelector("[data-plot=Requests]").dataset`

// requestsPlot returns a number that the plot of requests tells of itself.
func requestsPlot(page *browser.Page, name string) int {
	return int(browser.Value[float64](page, fmt.Sprintf("Number(%s.%s) || 0", requests, name)))
}

// load makes requests until the test ends.
func (s *system) load(t *testing.T, key string) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := harness.Load(t.Context(), 2, func(int64) bool { return true }, func(ctx context.Context, _ int) error {
			return harness.RoundTrip(ctx, s.client, key)
		})
		ended <- err
	}()
	t.Cleanup(func() {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// An HSM that goes is shown as gone, with what to do, and as back when it is back: without
// the page being loaded again.
func TestHSMsAreLive(t *testing.T) {
	t.Parallel()
	members, faults := faulty(t)
	s := newSystem(t, harness.Options{Members: members, HangTimeout: time.Second}, "").start(t)
	page := s.signIn(t, harness.Admin, browser.Desktop)
	visit(page, "HSMs")
	page.AwaitText("#live", "^Live$")
	const b = "[data-hsm=" + hsmB + "]"
	page.AwaitText(b+" .state", "^READY$")
	stay(page)

	if err := faults[1].Set(faultp11.Absent(), faultp11.Fail("C_GenerateRandom", ckr.DeviceRemoved)); err != nil {
		t.Fatal(err)
	}
	page.AwaitText(b+" .notice", "(CKR_DEVICE_REMOVED|could not find PKCS#11 token)[^]*What to do")
	page.AwaitText("[data-hsm="+hsmA+"] .state", "^READY$")
	if err := faults[1].Clear(); err != nil {
		t.Fatal(err)
	}
	page.AwaitText(b+" .state", "^READY$")
	requireStayed(t, page)
}
