package metrics

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	"golang.org/x/time/rate"
)

const (
	// scrapesPerSecond is how many scrapes there are at most, scrapesAtOnce how many without a
	// pause.
	scrapesPerSecond, scrapesAtOnce = 10, 120
	// scrapePatience is how long a client may take to read one. Prometheus waits no longer.
	scrapePatience = 10 * time.Second
)

// scrapes answers all who ask for the metrics, who may be anybody. A scrape is made in
// memory, one at a time and so many in a second, for all who have asked for it by then: who
// asks all the time, or never reads what is answered, keeps nobody from an answer.
type scrapes struct {
	handler http.Handler // makes one

	making sync.Mutex
	rate   *rate.Limiter

	mu    sync.Mutex
	next  map[expfmt.Format]*scrape // those that have not begun
	spare *bytes.Buffer             // of a scrape that everybody has read; nil: there is none
}

// newScrapes returns what answers with what a handler does.
func newScrapes(h http.Handler) *scrapes {
	return &scrapes{handler: h, rate: rate.NewLimiter(scrapesPerSecond, scrapesAtOnce), next: map[expfmt.Format]*scrape{}}
}

// ServeHTTP is part of http.Handler.
func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	joined := s.join(r.Header)
	defer s.leave(joined)
	joined.made()
	maps.Copy(w.Header(), joined.header)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapePatience)) // its connection is gone if that fails
	w.WriteHeader(joined.status)
	_, _ = w.Write(joined.body.Bytes()) // who has gone sees nothing
}

// join returns the scrape that begins next, in the format that a client wants.
func (s *scrapes) join(wanted http.Header) *scrape {
	format := expfmt.NegotiateAccept(wanted, expfmt.DefaultAcceptedFormats()...)
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.next[format]
	if next == nil {
		next = &scrape{header: http.Header{}, status: http.StatusOK}
		next.made = sync.OnceFunc(func() { s.make(next, format, wanted) })
		s.next[format] = next
	}
	next.readers++
	return next
}

// leave is called by each who has joined.
func (s *scrapes) leave(joined *scrape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if joined.readers--; joined.readers == 0 {
		s.spare = joined.body
	}
}

func (s *scrapes) make(next *scrape, format expfmt.Format, wanted http.Header) {
	s.making.Lock()
	defer s.making.Unlock()
	_ = s.rate.Wait(context.Background()) // one can always be waited for
	next.body = s.begin(format)
	s.handler.ServeHTTP(next, &http.Request{Header: http.Header{"Accept": wanted["Accept"]}})
}

// begin returns room for a scrape, which whoever asks from now on does not join.
func (s *scrapes) begin(format expfmt.Format) *bytes.Buffer {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.next, format)
	room := s.spare
	if s.spare = nil; room == nil {
		return new(bytes.Buffer)
	}
	room.Reset()
	return room
}

// scrape is an answer in memory.
type scrape struct {
	made    func() // makes it, once, and returns when it is there
	readers int
	header  http.Header
	status  int
	body    *bytes.Buffer
}

// Header is part of http.ResponseWriter.
func (s *scrape) Header() http.Header { return s.header }

// WriteHeader is part of http.ResponseWriter.
func (s *scrape) WriteHeader(status int) { s.status = status }

// Write is part of http.ResponseWriter.
func (s *scrape) Write(p []byte) (int, error) { return s.body.Write(p) }
