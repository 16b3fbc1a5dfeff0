// Package telemetry reads what operators know of their HSMs and PKCS#11 does not tell: values
// of CloudHSM's ten metrics, by a command, from a URL or in a file of each HSM. One that is
// too hot it has taken out of service.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// The values of Source fields left zero, and how much cooler than its limit an HSM is when it
// is taken into service again. CloudHSM shuts HSMs down at that temperature.
const (
	DefaultEvery          = time.Minute
	DefaultTimeout        = 10 * time.Second
	DefaultMaxTemperature = 110.0 // °C
	hysteresis            = 5.0   // °C
)

// freshPeriods is how many periods long a value counts.
const freshPeriods = 3

// againEvery is how often it is said again that an HSM is too hot.
const againEvery = 5 * time.Second

// Source is where values of an HSM come from: a JSON object of metrics' names and numbers, such
// as {"HsmTemperature": 41.5}. Exactly one of Command, URL and File is set.
type Source struct {
	// HSMID names the HSM. No two sources have the same.
	HSMID string
	// Command prints the values. Its first element is the program, by absolute path. Its
	// environment is PATH, and the HSM's id in STRONGROOM_HSM_ID.
	Command []string
	// URL answers the values to a GET; http or https.
	URL string
	// File has the values. They count from when it was written.
	File string
	// Every is how often the source is asked, Timeout how long it has to answer.
	Every, Timeout time.Duration
	// MaxTemperature is the value of HsmTemperature, in °C, at which the HSM is taken out of
	// service.
	MaxTemperature float64
}

// HSMs are taken out of service and into it again.
type HSMs interface {
	// Withdraw takes an HSM out of service, which it may be already. An error says that
	// there is no such HSM now.
	Withdraw(hsmID, reason string) error
	// Restore takes it into service again, which it may be already.
	Restore(hsmID string) error
}

// Telemetry is the sources of all HSMs. It is safe for concurrent use.
type Telemetry struct {
	hsms    HSMs
	log     hclog.Logger
	sources map[string]*source // by the ids of HSMs

	stop    context.CancelFunc
	running sync.WaitGroup
}

// source is a Source and what it has said.
type source struct {
	Source
	ask func(context.Context) (report, error)
	// complaint is what was logged of it last; empty: that it is good. tooHot is why the HSM
	// was taken out of service, if it was. Only the reader's.
	complaint, tooHot string

	mu     sync.Mutex
	last   report
	errors uint64
}

// report is what a source has said.
type report struct {
	at     time.Time
	values map[string]float64 // by the names of metrics
}

// Start asks the sources from now on, each by itself.
func Start(sources []Source, hsms HSMs, logger hclog.Logger) (*Telemetry, error) {
	t := &Telemetry{hsms: hsms, log: logger, sources: map[string]*source{}}
	for _, s := range sources {
		if t.sources[s.HSMID] != nil {
			return nil, fmt.Errorf("telemetry: the HSM %s has two sources", s.HSMID)
		}
		asked, err := newSource(s)
		if err != nil {
			return nil, fmt.Errorf("telemetry of HSM %s: %w", s.HSMID, err)
		}
		t.sources[s.HSMID] = asked
	}
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	for _, s := range t.sources {
		t.running.Go(func() { t.follow(ctx, s) })
	}
	return t, nil
}

func newSource(s Source) (*source, error) {
	if s.Every == 0 {
		s.Every = DefaultEvery
	}
	if s.Timeout == 0 {
		s.Timeout = min(DefaultTimeout, s.Every)
	}
	if s.MaxTemperature == 0 {
		s.MaxTemperature = DefaultMaxTemperature
	}
	asked := &source{Source: s}
	switch command, url, file := len(s.Command) > 0, s.URL != "", s.File != ""; {
	case command && !url && !file:
		asked.ask = asked.fromCommand
	case url && !command && !file:
		asked.ask = asked.fromURL
	case file && !command && !url:
		asked.ask = asked.fromFile
	default:
		return nil, errors.New("exactly one of a command, a URL and a file is wanted")
	}
	return asked, nil
}

// Close asks no source any more. HSMs stay as they are.
func (t *Telemetry) Close() {
	t.stop()
	t.running.Wait()
}

// Values are what is known of an HSM, by the names of metrics. What is older than three
// periods is left out.
func (t *Telemetry) Values(hsmID string) map[string]float64 {
	s := t.sources[hsmID]
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last.at) > freshPeriods*s.Every {
		return nil
	}
	return maps.Clone(s.last.values)
}

// Errors counts the answers of an HSM's source that failed, and the values that were refused.
// It is nil of an HSM without a source.
func (t *Telemetry) Errors(hsmID string) *uint64 {
	s := t.sources[hsmID]
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return new(s.errors)
}

// follow asks a source in its periods.
func (t *Telemetry) follow(ctx context.Context, s *source) {
	tick, again := time.NewTicker(s.Every), time.NewTicker(againEvery)
	defer tick.Stop()
	defer again.Stop()
	t.read(ctx, s)
	for {
		select {
		case <-tick.C:
			t.read(ctx, s)
		case <-again.C:
			t.withdraw(s)
		case <-ctx.Done():
			return
		}
	}
}

// read asks a source once. An answer takes the place of the one before; when there is none that
// one stays until it is too old.
func (t *Telemetry) read(ctx context.Context, s *source) {
	bounded, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	r, err := s.ask(bounded)
	if ctx.Err() != nil {
		return
	}
	s.note(r, err)
	t.tell(s, err)
	if temperature, told := r.values[temperatureMetric]; told {
		t.cool(s, temperature)
	}
}

func (s *source) note(r report, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.values != nil {
		s.last = r
	}
	s.errors += faults(err)
}

// tell logs what is wrong with a source when that changes.
func (t *Telemetry) tell(s *source, err error) {
	var complaint string
	if err != nil {
		complaint = fmt.Sprintf("%.*s", maxLine, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	switch {
	case complaint == s.complaint:
	case err == nil:
		t.log.Info("the telemetry source of an HSM is good again", "hsm", s.HSMID)
	default:
		t.log.Warn("the telemetry source of an HSM cannot be used in whole", "hsm", s.HSMID, "error", complaint)
	}
	s.complaint = complaint
}
