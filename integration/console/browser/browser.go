package browser

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience bounds the start of the browser and of a page.
const patience = 40 * time.Second

// Browser is a running Chromium. Its pages may be opened by many goroutines.
type Browser struct {
	ctx   context.Context
	close []context.CancelFunc
}

// Start starts the Chromium in the path. It runs until Close.
func Start() (*Browser, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("these tests drive Chromium; `make test-deps` installs it: %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // its sandbox does not work as root, as which tests run in containers
		chromedp.DisableGPU,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
		chromedp.Flag("hide-scrollbars", false),
	)
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b := &Browser{ctx: ctx, close: []context.CancelFunc{cancel, cancelAllocator}}
	if err := chromedp.Do(ctx); err != nil {
		b.Close()
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return b, nil
}

// Close ends the browser with all its pages.
func (b *Browser) Close() {
	for _, c := range b.close {
		c()
	}
}

// Screen is what a page is looked at on.
type Screen struct {
	// Width and Height are in CSS pixels.
	Width, Height int64
	// Dark is what the person prefers.
	Dark bool
}

// Screens.
var (
	Desktop = Screen{Width: 1280, Height: 800}
	Dark    = Screen{Width: 1280, Height: 800, Dark: true}
	Phone   = Screen{Width: 360, Height: 740}
)

// Open opens an empty page, which is closed at the end of the test. Its requests may go
// to the origin only, such as http://127.0.0.1:7402.
func (b *Browser) Open(tb testing.TB, origin string, s Screen) *Page {
	tb.Helper()
	trouble, err := newProblems(origin)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(trouble.listen))
	p := &Page{tb: tb, ctx: ctx, origin: origin, trouble: trouble}
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		tb.Fatalf("opening a page: %v", err)
	}
	tb.Cleanup(func() {
		cancel()
		trouble.report(tb)
	})
	p.Show(s)
	return p
}

// Show puts the page onto another screen.
func (p *Page) Show(s Screen) {
	p.tb.Helper()
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	p.do("changing the screen", chromedp.EmulateViewport(s.Width, s.Height), media("prefers-color-scheme", scheme))
}

// media has the page believe in a media feature.
func media(name, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
		return err
	})
}
