package browser

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// problems are what is wrong with a page.
type problems struct {
	host string

	mu       sync.Mutex
	found    []string
	requests map[network.RequestID]string // URLs
	expected []*regexp.Regexp
}

func newProblems(origin string) (*problems, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("the origin of a page: %w", err)
	}
	return &problems{host: u.Host, requests: map[network.RequestID]string{}}, nil
}

// listen takes the browser's events.
func (p *problems) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		p.console(e)
	case *runtime.EventExceptionThrown:
		p.add("exception: %s", describeException(e.ExceptionDetails))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.add("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		p.request(e.RequestID, e.Request.URL)
	case *network.EventWebSocketCreated:
		p.request(e.RequestID, e.URL)
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			p.add("answer %d: %s", e.Response.Status, e.Response.URL)
		}
	case *network.EventLoadingFailed:
		p.failed(e)
	}
}

func (p *problems) console(e *runtime.EventConsoleAPICalled) {
	switch e.Type {
	case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
		words := make([]string, len(e.Args))
		for i, a := range e.Args {
			words[i] = cmp.Or(strings.Trim(string(a.Value), `"`), a.Description)
		}
		p.add("console.%s: %s", e.Type, strings.Join(words, " "))
	}
}

func describeException(d *runtime.ExceptionDetails) string {
	if d.Exception != nil && d.Exception.Description != "" {
		return d.Exception.Description
	}
	return d.Text
}

// request remembers a request, which may go to the page's own host only.
func (p *problems) request(id network.RequestID, address string) {
	p.mu.Lock()
	p.requests[id] = address
	p.mu.Unlock()
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "data" && u.Scheme != "blob" && u.Host != p.host) {
		p.add("request to another host: %s", address)
	}
}

// failed is not about requests that a page gives up when it is left.
func (p *problems) failed(e *network.EventLoadingFailed) {
	if e.Canceled || e.ErrorText == "net::ERR_ABORTED" {
		return
	}
	p.mu.Lock()
	address := p.requests[e.RequestID]
	p.mu.Unlock()
	p.add("request failed: %s %s", e.ErrorText, address)
}

func (p *problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = append(p.found, fmt.Sprintf(format, args...))
}

// unexpected returns those that nobody has said to expect.
func (p *problems) unexpected() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, f := range p.found {
		for _, e := range p.expected {
			if e.MatchString(f) {
				continue next
			}
		}
		all = append(all, f)
	}
	return all
}

// asked returns the addresses of all requests.
func (p *problems) asked() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, address := range p.requests {
		all = append(all, address)
	}
	return all
}

func (p *problems) report(tb testing.TB) {
	tb.Helper()
	for _, problem := range p.unexpected() {
		tb.Errorf("the page has a problem: %s", problem)
	}
}
