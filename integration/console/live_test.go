package console

import (
	"context"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Numbers and plots of the overview move with the requests of another client, without the
// page being loaded again.
func TestOverviewIsLive(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "").start(t)
	key := s.newKey(t, "alias/payroll", new(kmsv1.CreateKeyRequest))
	page := s.signIn(t, harness.Admin, browser.Desktop)
	page.AwaitText("#live", "^Live$")
	const plot = `[data-plot=Requests]`
	page.Await(`Number(document.querySelector("` + plot + `").dataset.points) >= 2`)
	before := browser.Value[int](page, `Number(document.querySelector("`+plot+`").dataset.points)`)
	stay(page)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := harness.Load(ctx, 4, func(int64) bool { return true }, func(ctx context.Context, _ int) error {
			return harness.RoundTrip(ctx, s.client, key)
		})
		ended <- err
	}()
	page.Await(`parseFloat(document.querySelector("[data-live=requests-per-second]").innerText.replaceAll(",", "")) > 20`)
	stop()
	if err := <-ended; ctx.Err() == nil {
		t.Error(err)
	}
	page.Await(`Number(document.querySelector("` + plot + `").dataset.last) > 20`)
	if after := browser.Value[int](page, `Number(document.querySelector("`+plot+`").dataset.points)`); after <= before {
		t.Errorf("the plot has %d points, and had %d before", after, before)
	}
	requireStayed(t, page)
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
	page.AwaitText(b+" .notice", "could not find PKCS#11 token[^]*What to do")
	page.AwaitText("[data-hsm="+hsmA+"] .state", "^READY$")
	if err := faults[1].Clear(); err != nil {
		t.Fatal(err)
	}
	page.AwaitText(b+" .state", "^READY$")
	requireStayed(t, page)
}
