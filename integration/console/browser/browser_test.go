package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What is wrong with a page is found, and nothing is found in one that is good.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"nothing":          {`<p>good</p><script nonce=n>console.log("fine")</script>`, ""},
		"console":          {`<script nonce=n>console.error("broken", 3)</script>`, `console.error: broken 3`},
		"exception":        {`<script nonce=n>throw new Error("broken")</script>`, `exception: Error: broken`},
		"missing":          {`<script src="/missing.js"></script>`, `answer 404: .*/missing.js`},
		"another host":     {`<script nonce=n>fetch("http://example.com/").catch(() => 0)</script>`, `request to another host: http://example.com/`},
		"another port":     {`<link rel=stylesheet href="http://127.0.0.1:9/x.css">`, `request to another host: http://127.0.0.1:9`},
		"security policy":  {`<script>document.title = "run"</script>`, `(?i)content security policy`},
		"cut off":          {`<img src="/cut">`, `request failed: net::ERR_`},
		"promise rejected": {`<script nonce=n>Promise.reject(new Error("unheard"))</script>`, `unheard`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(pageOf(c.body))
			t.Cleanup(server.Close)
			page := chromium.Open(t, server.URL, Desktop)
			page.Go("/")
			page.Await("document.readyState === 'complete'")
			found := strings.Join(page.trouble.unexpected(), "\n")
			if c.want == "" != (found == "") || !regexp.MustCompile(c.want).MatchString(found) {
				t.Errorf("found %q, want %q", found, c.want)
			}
			page.Expect(".*")
			if left := page.trouble.unexpected(); len(left) > 0 {
				t.Errorf("all is expected, but for %q", left)
			}
		})
	}
}

func pageOf(body string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "script-src 'self' 'nonce-n'")
		fmt.Fprintf(w, `<!doctype html><meta charset=utf-8><link rel=icon href=data:,><body>%s`, body)
	})
	mux.HandleFunc("GET /cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	return mux
}

// A condition is awaited over changes of the document and over another document; the
// keyboard, the screen and the colours are the page's.
func TestPage(t *testing.T) {
	server := httptest.NewServer(pageOf(`<input id=a><p id=b>no</p><script nonce=n>
		document.addEventListener("keydown", e => setTimeout(() => document.getElementById("b").textContent = "pressed " + e.key, 50));
	</script>`))
	t.Cleanup(server.Close)
	page := chromium.Open(t, server.URL, Phone)
	page.Go("/")
	page.Press("x")
	page.AwaitText("#b", "^pressed x$")
	if got := page.Text("#b"); got != "pressed x" {
		t.Errorf("the text is %q", got)
	}
	page.Reload()
	page.AwaitText("#b", "^no$")
	if got := Value[int](page, "innerWidth"); got != int(Phone.Width) {
		t.Errorf("the phone is %d pixels wide", got)
	}
	const dark = "matchMedia('(prefers-color-scheme: dark)').matches"
	for _, s := range []Screen{Desktop, Dark} {
		page.Show(s)
		if got := Value[bool](page, dark); got != s.Dark {
			t.Errorf("on %+v the page is told %v", s, got)
		}
	}
	if got := page.Requests(); !slices.Contains(got, server.URL+"/") {
		t.Errorf("the requests are %q", got)
	}
	picture := page.Picture()
	if err := os.WriteFile(t.TempDir()+"/p.png", picture, 0o600); err != nil || len(picture) < 1000 {
		t.Errorf("a picture of %d bytes: %v", len(picture), err)
	}
}

// Controls that a keyboard cannot reach, or that do not show it, are named.
func TestUnreachable(t *testing.T) {
	const good = `<a href=/>home</a><button id=good>b</button><button id=off disabled>c</button><p hidden><a href=/>hidden</a></p>`
	for name, c := range map[string]struct{ body, want string }{
		"all reached": {good, ""},
		"not shown":   {good + `<style>#good:focus { outline: none }</style>`, "id=\"good\""},
		"a trap": {good + `<input id=trap><input id=beyond>
			<script nonce=n>trap.onkeydown = e => e.preventDefault()</script>`, "id=\"beyond\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(pageOf(c.body))
			t.Cleanup(server.Close)
			page := chromium.Open(t, server.URL, Desktop)
			page.Go("/")
			got := strings.Join(page.Unreachable(), "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
