package awsapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log" //nolint:depguard // http.Server.ErrorLog is one
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"github.com/strongroom-kms/strongroom/server"
)

// Bounds of a connection that are not configurable. A request's own time is that of
// package server.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 5 * time.Minute // a request's longest time, and its answer
	idleTimeout   = 5 * time.Minute
)

// ServeConfig says how an endpoint listens.
type ServeConfig struct {
	Handler http.Handler
	// TLS is the server's identity; nil: plain HTTP.
	TLS *tls.Config
	// MaxConnections is how many connections are open at once; further ones wait.
	MaxConnections int
	// DrainTimeout is how long requests in flight may take to finish at the end.
	DrainTimeout time.Duration
	Logger       hclog.Logger
}

// Serve answers requests on the listener, which it closes, until ctx ends; then
// requests in flight finish. It fails only if the listener does.
func Serve(ctx context.Context, lis net.Listener, c ServeConfig) error {
	s := &http.Server{
		Handler:           c.Handler,
		TLSConfig:         c.TLS,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    server.MaxHeaderBytes,
		ErrorLog:          standardLog(c.Logger),
	}
	served := make(chan error, 1)
	go func() { served <- serve(s, netutil.LimitListener(lis, c.MaxConnections)) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving AWS clients on %v: %w", lis.Addr(), err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.DrainTimeout)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		c.Logger.Warn("requests in flight did not finish in time and are cut off", "timeout", c.DrainTimeout)
		_ = s.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving AWS clients on %v: %w", lis.Addr(), err)
	}
	return nil
}

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
