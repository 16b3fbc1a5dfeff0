package server

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestRefusalsAreLoggedSeldomAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lockedBuffer{}
		o := &overload{logger: hclog.New(&hclog.LoggerOptions{Output: log}), inFlight: func() int { return 512 }}
		ctx, cancel := context.WithCancel(t.Context())
		go o.watch(ctx)
		for range 25 {
			o.recorded.Add(2)
			o.unrecorded.Add(1)
			time.Sleep(time.Second - time.Millisecond)
		}
		o.connections.Add(7)
		cancel()
		synctest.Wait()
		var lines []string
		for line := range strings.Lines(log.String()) {
			_, counts, _ := strings.Cut(line, "refused: ")
			counts, _, _ = strings.Cut(counts, " open_connections=")
			lines = append(lines, counts)
		}
		want := []string{
			"requests=4 requests_without_event=2 connections=0 in_flight=512",
			"requests=20 requests_without_event=10 connections=0 in_flight=512",
			"requests=20 requests_without_event=10 connections=0 in_flight=512",
			"requests=6 requests_without_event=3 connections=7 in_flight=512",
		}
		if strings.Join(lines, "\n") != strings.Join(want, "\n") {
			t.Errorf("logged\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestNothingIsLoggedWhenNothingIsRefused(t *testing.T) {
	log := &lockedBuffer{}
	o := &overload{logger: hclog.New(&hclog.LoggerOptions{Output: log})}
	if o.report() || log.String() != "" {
		t.Errorf("logged %s", log)
	}
}
