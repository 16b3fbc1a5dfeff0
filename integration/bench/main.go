// Command bench measures what a request costs, beside what it cannot cost less
// than: in one run and on one machine, the floors (the token's AES-GCM alone, a
// no-op gRPC call over TLS, a durable journal record) and then Encrypt, Decrypt
// and GenerateDataKey through a real server and a real worker on SoftHSM, over gRPC
// and as AWS clients call them.
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
	report, err := measureAll(ctx, o)
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

func parse(args []string) (options, error) {
	o := options{inFlight: []int{1, 16, 64}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.DurationVar(&o.duration, "duration", 3*time.Second, "how long each row is measured")
	flags.DurationVar(&o.warmup, "warmup", time.Second, "how long each row runs before")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.StringVar(&o.binary, "binary", "", "a strongroom program (default: build it)")
	flags.Func("in-flight", "numbers of requests in flight, with commas (default 1,16,64)", func(s string) (err error) {
		o.inFlight, err = numbers(s)
		return err
	})
	o.child.register(flags)
	return o, flags.Parse(args)
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
