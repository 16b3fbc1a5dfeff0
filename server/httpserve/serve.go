package httpserve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log" //nolint:depguard // http.Server.ErrorLog is one
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"github.com/strongroom-kms/strongroom/server"
)

// Bounds of a connection that are not configurable. A request's own time is that of
// package server. A handler whose answer takes longer sets its own deadlines, by
// http.ResponseController.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 15 * time.Second // from the headers' first byte to the body's last
	writeTimeout  = 5 * time.Minute  // a request's longest time, and its answer
	idleTimeout   = 5 * time.Minute
)

// Config says how a listener is served.
type Config struct {
	Handler http.Handler
	// TLS is the server's identity; nil: plain HTTP.
	TLS *tls.Config
	// MaxConnections is how many connections are open at once; further ones wait.
	MaxConnections int
	// DrainTimeout is how long requests in flight may take to finish at the end.
	DrainTimeout time.Duration
	// For says who the clients are, in errors: "AWS clients".
	For    string
	Logger hclog.Logger
}

// Serve answers requests on the listener, which it closes, until ctx ends; then
// requests in flight finish, for at most DrainTimeout. It returns when none is
// being answered any more, with an error only if the listener failed.
func Serve(ctx context.Context, lis net.Listener, c Config) error {
	outlived := &outlived{Handler: c.Handler}
	s := newServer(c, outlived)
	served := make(chan error, 1)
	go func() { served <- serve(s, netutil.LimitListener(lis, c.MaxConnections)) }()
	select {
	case err := <-served:
		served <- err
	case <-ctx.Done():
	}
	drain(ctx, s, c)
	outlived.end()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s on %v: %w", c.For, lis.Addr(), err)
	}
	return nil
}

func newServer(c Config, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		TLSConfig:         c.TLS,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    server.MaxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: server.MaxStreams},
		ErrorLog:          standardLog(c.Logger),

		DisableGeneralOptionsHandler: true, // the handler answers every method
	}
}

// drain lets requests in flight finish, and cuts off those that do not in time.
func drain(ctx context.Context, s *http.Server, c Config) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.DrainTimeout)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		c.Logger.Warn("requests in flight did not finish in time and are cut off", "timeout", c.DrainTimeout)
		_ = s.Close()
	}
}

// outlived is a handler whose end can be awaited. http.Server.Close ends the
// connections, and with them the contexts of requests, but awaits no handler:
// their events would be written to a trail that is closed.
type outlived struct {
	http.Handler
	running sync.RWMutex // read-locked by each request
}

// ServeHTTP is part of http.Handler.
func (o *outlived) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !o.running.TryRLock() { // it has ended
		panic(http.ErrAbortHandler)
	}
	defer o.running.RUnlock()
	o.Handler.ServeHTTP(w, r)
}

// end returns when no request is being answered. None is from then on.
func (o *outlived) end() { o.running.Lock() }

func serve(s *http.Server, lis net.Listener) error {
	if s.TLSConfig == nil {
		return s.Serve(lis)
	}
	return s.ServeTLS(lis, "", "")
}

// standardLog gives net/http's own log, of clients that misbehave, the debug level.
func standardLog(l hclog.Logger) *log.Logger {
	return l.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
}
