package browser

import (
	"context"

	"github.com/chromedp/chromedp"
)

// Picture returns the page, as it is on the screen, as a small PNG.
func (p *Page) Picture() []byte {
	p.tb.Helper()
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
