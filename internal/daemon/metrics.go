package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Limits of scrapes: they are small, and from nearby.
const (
	scrapeTimeout    = 10 * time.Second
	maxScrapeHeaders = 16 << 10 // bytes
)

// serveMetrics answers Prometheus until ctx ends, and closes the listener.
func serveMetrics(ctx context.Context, l net.Listener, handler http.Handler, logger hclog.Logger) error {
	s := &http.Server{
		Handler: handler, ErrorLog: logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
		ReadTimeout: scrapeTimeout, WriteTimeout: scrapeTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxScrapeHeaders,
	}
	var closing sync.WaitGroup
	served, stop := context.WithCancel(ctx)
	closing.Go(func() {
		<-served.Done()
		_ = s.Close() // a scrape that is cut off is made again
	})
	err := s.Serve(l)
	stop()
	closing.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
