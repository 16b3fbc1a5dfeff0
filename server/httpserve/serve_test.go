package httpserve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// served is a running server whose handler is fn.
func served(t *testing.T, drain time.Duration, fn http.HandlerFunc) (lis net.Listener, stop context.CancelFunc, result <-chan error) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, lis, Config{Handler: fn, MaxConnections: 4, DrainTimeout: drain, Logger: hclog.NewNullLogger()})
	}()
	return lis, stop, done
}

// get sends a request and returns what becomes of it.
func get(t *testing.T, lis net.Listener) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+lis.Addr().String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		res, err := client.Do(r)
		if err == nil {
			err = res.Body.Close()
		}
		done <- err
	}()
	return done
}

func TestRequestsInFlightAreAnsweredAtTheEnd(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	lis, stop, result := served(t, time.Minute, func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	})
	answered := get(t, lis)
	<-entered
	stop()
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// What a request uses may be closed when Serve has returned, also if the request
// was cut off.
func TestServeOutlivesRequestsThatAreCutOff(t *testing.T) {
	entered := make(chan struct{})
	var over atomic.Bool
	lis, stop, result := served(t, time.Millisecond, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		time.Sleep(50 * time.Millisecond) // recording the event
		over.Store(true)
	})
	answered := get(t, lis)
	<-entered
	stop()
	if err := <-result; err != nil {
		t.Error(err)
	}
	if !over.Load() {
		t.Error("Serve has returned while a request was being answered")
	}
	if err := <-answered; err == nil {
		t.Error("the request was not cut off")
	}
}

func TestAListenerThatFailsEndsServeWhenItsRequestsHaveEnded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	lis, _, result := served(t, time.Minute, func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	})
	answered := get(t, lis)
	<-entered
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		t.Errorf("Serve has returned %v while a request was being answered", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
}

// A handler that begins when all was to have ended is none.
func TestNoRequestBeginsAfterTheEnd(t *testing.T) {
	o := &outlived{Handler: http.NotFoundHandler()}
	o.end()
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			t.Errorf("recovered %v", v)
		}
	}()
	o.ServeHTTP(nil, nil)
}

// net/http would answer this one by itself, without a request id.
func TestTheHandlerAnswersEveryMethod(t *testing.T) {
	lis, stop, result := served(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 418 ")) {
		t.Errorf("%q, %v", answer, err)
	}
	_ = conn.Close()
	stop()
	if err := <-result; err != nil {
		t.Error(err)
	}
}
