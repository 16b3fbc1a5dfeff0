// Command overload asks more of a server than it can carry, and tells what came
// of it. It is the load of the overload tests, in a process of its own.
//
// It encrypts with one key from a number of goroutines that each wait for their
// answer (-loops), or at a fixed rate whatever the answers (-rate), over many
// connections. It prints one JSON result, and writes a line for each answer that
// had a request id to a file: the id, and the error's name if it was one.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// options are the flags.
type options struct {
	address, ca, key, ids string
	identities            []harness.Identity
	connections           int
	loops, rate           int
	duration              time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		stop()
		fmt.Fprintf(os.Stderr, "overload: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	flags.StringVar(&o.address, "address", "", "the server's address")
	flags.StringVar(&o.ca, "ca", "", "the certificate of the server's CA")
	flags.StringVar(&o.key, "key", "", "the KMS key's ARN")
	flags.StringVar(&o.ids, "ids", "", "the file for the request ids")
	flags.IntVar(&o.connections, "connections", 1, "connections, in turn of each identity")
	flags.IntVar(&o.loops, "loops", 0, "goroutines that each wait for their answer")
	flags.IntVar(&o.rate, "rate", 0, "requests a second, whatever the answers")
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "how long")
	flags.Func("identity", "certificate and key file, with a comma; can be repeated", func(s string) error {
		cert, key, ok := strings.Cut(s, ",")
		if !ok {
			return errors.New("wants CERTIFICATE,KEY")
		}
		o.identities = append(o.identities, harness.Identity{Cert: cert, Key: key})
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if len(o.identities) == 0 || o.connections < 1 || (o.loops > 0) == (o.rate > 0) {
		return o, errors.New("needs -identity, -connections and either -loops or -rate")
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	file, err := os.Create(o.ids)
	if err != nil {
		return fmt.Errorf("making the file for request ids: %w", err)
	}
	l := &load{options: o, tally: newTally(bufio.NewWriterSize(file, 1<<20))}
	for i := range o.connections {
		client, err := harness.Dial(o.address, o.ca, &o.identities[i%len(o.identities)])
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // all calls are over
		l.clients = append(l.clients, client)
	}
	if o.loops > 0 {
		l.closed(ctx)
	} else {
		l.open(ctx)
	}
	if err := errors.Join(l.tally.ids.Flush(), file.Close()); err != nil {
		return fmt.Errorf("writing request ids: %w", err)
	}
	return json.NewEncoder(os.Stdout).Encode(l.tally.result())
}

// load is a run.
type load struct {
	options
	clients []*harness.Client
	tally   *tally
}

// patience is the deadline of each call: what is not answered by then counts as
// not answered.
const patience = 20 * time.Second

// call makes one call, which outlives ctx: every call is counted.
func (l *load) call(ctx context.Context, i int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var header harness.Header
	start := time.Now()
	_, err := l.clients[i%len(l.clients)].KMS.Encrypt(ctx, &kmsv1.EncryptRequest{
		KeyId: &l.key, Plaintext: []byte("overload"),
	}, header.Option())
	l.tally.add(header.RequestID(), time.Since(start), err)
}
