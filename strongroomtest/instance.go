package strongroomtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/internal/devserver"
)

// errStopped is what a server cannot do after its end.
var errStopped = errors.New("the Strongroom server has been stopped")

// instance is what a Server and its views share. It fails no tests: their
// failures run cleanups, which need the lock.
type instance struct {
	dir     string
	options options
	log     io.Writer

	mu      sync.Mutex
	running *run // nil before the start and after the end
	clients map[string]*client.Client
}

// run is the server from a start to its end.
type run struct {
	site  *devserver.Site
	trail *audit.Trail
	stop  context.CancelFunc
	ended chan struct{}
	err   error // of the end; set before ended is closed
}

// start starts the server on what is in its directory.
func (i *instance) start(listen string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.serve(listen)
}

func (i *instance) serve(listen string) error {
	level := hclog.LevelFromString(i.options.logLevel)
	if level == hclog.NoLevel {
		return fmt.Errorf("there is no log level %q: see WithLogLevel", i.options.logLevel)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &run{stop: stop, ended: make(chan struct{})}
	serving := make(chan struct{})
	go func() {
		defer close(r.ended)
		r.err = devserver.Run(ctx, devserver.Options{
			DataDir:    i.dir,
			Listen:     listen,
			AWSListen:  "127.0.0.1:0",
			AccessKey:  devserver.AccessKey{ID: awsKey, Secret: awsKey},
			Library:    i.options.library,
			Principals: i.options.principals,
			Regions:    i.options.regions,
			Clusters:   i.options.clusters,
			WorkerEnv:  workerEnv(),
			Logger:     hclog.New(&hclog.LoggerOptions{Name: "strongroom", Level: level, Output: i.log}),
			TrailOpen:  func(t *audit.Trail) { r.trail = t },
			Serving: func(_ context.Context, site *devserver.Site) error {
				r.site = site
				close(serving)
				return nil
			},
		})
	}()
	select {
	case <-serving:
		i.running = r
		return nil
	case <-r.ended:
		stop()
		return fmt.Errorf("starting a Strongroom server: %w", r.err)
	}
}

// shutdown stops the server as SIGTERM does and returns when nothing of it runs
// any more.
func (i *instance) shutdown() error {
	if i.running == nil {
		return nil
	}
	i.running.stop()
	<-i.running.ended
	err := i.running.err
	i.running = nil
	if err != nil {
		return fmt.Errorf("the Strongroom server did not end well: %w", err)
	}
	return nil
}

// restart stops the server and starts it again, and connects its clients.
func (i *instance) restart() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running == nil {
		return errStopped
	}
	address := i.running.site.Address
	if err := i.shutdown(); err != nil {
		return err
	}
	if err := i.serve(address); err != nil {
		return err
	}
	ctx, cancel := patience()
	defer cancel()
	for name, c := range i.clients {
		if err := c.Connect(ctx); err != nil {
			return fmt.Errorf("the client of %s after a restart: %w", name, err)
		}
	}
	return nil
}

// close ends everything.
func (i *instance) close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var errs []error
	for name, c := range i.clients {
		if err := c.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing the client of %s: %w", name, err))
		}
	}
	clear(i.clients)
	return errors.Join(append(errs, i.shutdown())...)
}

// current is the server as it runs now.
func (i *instance) current() (*run, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running == nil {
		return nil, errStopped
	}
	return i.running, nil
}

// client returns the principal's client, which is made when it is first asked
// for.
func (i *instance) client(principal string) (*client.Client, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running == nil {
		return nil, errStopped
	}
	if c, ok := i.clients[principal]; ok {
		return c, nil
	}
	config, err := i.running.connection(principal)
	if err != nil {
		return nil, err
	}
	c, err := client.Dial(i.running.site.Address, config)
	if err != nil {
		return nil, fmt.Errorf("calling the server as %s: %w", principal, err)
	}
	i.clients[principal] = c
	return c, nil
}

// connection has the principal's files.
func (r *run) connection(principal string) (client.Config, error) {
	config, err := r.site.Connection(principal)
	if err != nil {
		return client.Config{}, fmt.Errorf("%w: see WithPrincipal", err)
	}
	return config, nil
}
