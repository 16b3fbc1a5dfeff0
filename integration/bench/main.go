// Command bench measures what a request costs, beside what it cannot cost less
// than: in one run and on one machine, the floors (the token's AES-GCM alone, a
// no-op gRPC call over TLS, a durable journal record) and then Encrypt, Decrypt
// and GenerateDataKey through a real server and a real worker on SoftHSM, over gRPC
// and as AWS clients call them. With -journal-rounds it measures instead what the
// durable journal costs, beside a build that does not record these requests.
//
// The costs are CPU time, of the server and its worker together, from /proc.
// Clients run in a process of their own, so that they are not counted, but on
// the same cores, so that throughput is less than it could be. Every answer is
// checked: those that have a ciphertext are decrypted after the measured time.
//
// It must be run in the repository (`make bench`), because it builds strongroom.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	duration time.Duration
	warmup   time.Duration
	inFlight []int
	json     bool
	binary   string
	rounds   int

	child childOptions
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		stop()
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.child.role != "" {
		return runChild(ctx, o, stdout)
	}
	report, err := measured(ctx, o)
	if err != nil {
		return err
	}
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	return report.print(stdout)
}

// printer is a report.
type printer interface {
	print(w io.Writer) error
}

func measured(ctx context.Context, o options) (printer, error) {
	if o.rounds > 0 {
		return measureJournal(ctx, o)
	}
	return measureAll(ctx, o)
}

func parse(args []string) (options, error) {
	o := options{inFlight: []int{1, 16, 64}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.DurationVar(&o.duration, "duration", 3*time.Second, "how long each row is measured")
	flags.DurationVar(&o.warmup, "warmup", time.Second, "how long each row runs before")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.StringVar(&o.binary, "binary", "", "a strongroom program (default: build it)")
	flags.IntVar(&o.rounds, "journal-rounds", 0, "measure only what the journal costs: so many times with and without it, by turns")
	flags.Func("in-flight", "numbers of requests in flight, with commas (default 1,16,64)", func(s string) (err error) {
		o.inFlight, err = numbers(s)
		return err
	})
	o.child.register(flags)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.rounds > 0 && o.binary != "" {
		return o, errors.New("-journal-rounds builds two programs itself: leave -binary out")
	}
	return o, nil
}

func numbers(s string) ([]int, error) {
	var all []int
	for field := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 || n > 4096 {
			return nil, fmt.Errorf("%q is not a number from 1 to 4096", field)
		}
		all = append(all, n)
	}
	return all, nil
}
