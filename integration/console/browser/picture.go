package browser

import (
	"context"

	"github.com/chromedp/chromedp"
)

// Picture returns the beginning of the page, as much as is on the screen, as a small PNG.
func (p *Page) Picture() []byte {
	p.tb.Helper()
	p.do("going to the beginning", chromedp.Evaluate[chromedp.Void]("scrollTo(0, 0); document.activeElement.blur()"))
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.tb.Fatalf("taking a picture of the page: %v", err)
	}
	small, err := compress(picture)
	if err != nil {
		p.tb.Fatalf("compressing a picture of the page: %v", err)
	}
	return small
}
