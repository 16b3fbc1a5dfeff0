package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// hsm is an HSM of the world: a worker with faults of its own.
type hsm struct {
	id string
	// dir has the library's control file and its log.
	dir    string
	faults *faultp11.Library
	// habits are faults that it always has.
	habits []faultp11.Fault
}

// calm ends all faults but the habits.
func (h *hsm) calm() error { return h.faults.Set(h.habits...) }

// clusterID is the id of the custom key store's cluster.
const clusterID = "cluster-strongchaos"

// world is a server with its HSMs, and the clients.
type world struct {
	options
	site    *harness.Site
	hsms    []*hsm // the members, and last the cluster's
	storeID string
	history *history
	link    link
	gate    gate
	done    *progress
	clients []*client
	checker *client
	// server is the one of the moment; logs are what all of them have printed.
	server *harness.Server
	logs   []*harness.Log
	kills  kills
	report *report
}

// newWorld makes the tokens, the libraries and the configuration in o.Dir.
func newWorld(ctx context.Context, o options) (*world, error) {
	w := &world{options: o, history: new(history), done: newProgress(), report: newReport()}
	if err := w.openLibraries(); err != nil {
		return nil, err
	}
	var err error
	w.site, err = harness.NewSite(ctx, harness.Options{
		Binary: o.Binary, Dir: o.Dir, Library: o.Library, Env: o.Env,
		Members:     w.asMembers(w.members()),
		HangTimeout: hangTimeout,
		Clusters:    []harness.Cluster{{ID: clusterID, Library: o.Library, HangTimeout: hangTimeout, Members: w.asMembers(w.hsms[o.Members:])}},
		Limits:      fmt.Sprintf("{default_deadline: %v}", serverDeadline),
		LogLevel:    "debug",
	})
	return w, err
}

// hangTimeout is the configuration's hsm.hang_timeout: short, so that a hang costs
// little of the run, but not so short that a busy machine looks like one.
const hangTimeout = 5 * time.Second

func (w *world) asMembers(all []*hsm) []harness.Member {
	var members []harness.Member
	for _, h := range all {
		m := harness.Member{HSMID: h.id, Env: map[string]string{}}
		for _, v := range append(h.faults.Env(), w.Env...) {
			name, value, _ := strings.Cut(v, "=")
			m.Env[name] = value
		}
		members = append(members, m)
	}
	return members
}

func (w *world) openLibraries() error {
	softHSM, err := harness.FindSoftHSM()
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(w.Seed, 1<<34))
	for i := range w.Members + 1 {
		h := &hsm{id: fmt.Sprintf("hsm-chaosmember%c", 'a'+i), habits: habits(rng)}
		if i == w.Members {
			h.id = "hsm-chaoscluster"
		}
		h.dir = filepath.Join(w.Dir, h.id)
		if h.faults, err = faultp11.Open(faultp11.Options{Dir: h.dir, Path: w.Library, SoftHSM: softHSM, Log: true}); err != nil {
			return err
		}
		if err := h.calm(); err != nil {
			return err
		}
		w.Log("HSM %d: %v", i, h.habits)
		w.hsms = append(w.hsms, h)
	}
	return nil
}

func (w *world) members() []*hsm { return w.hsms[:w.Members] }

// start starts the server and leads the clients to it. The link's lock must be held,
// or nobody be there yet.
func (w *world) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	server, err := w.site.Start(ctx)
	if err != nil {
		return err
	}
	w.server, w.logs = server, append(w.logs, server.Stderr)
	if w.link.client != nil {
		err = w.link.client.Close()
	}
	client, failed := w.site.Dial(server.Address, harness.Admin)
	w.link.client = client
	return errors.Join(err, failed)
}

// startTimeout is how long a server may take to serve, also while its HSMs are being
// disturbed.
const startTimeout = 30 * time.Second

// end is the end of a server: killed, or asked to stop.
func (w *world) end(ctx context.Context, kill bool) error {
	if kill {
		w.kills = append(w.kills, time.Now())
		w.server.Kill()
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return w.server.Stop(ctx)
}

// restart ends the server and starts it again.
func (w *world) restart(ctx context.Context, kill bool) error {
	w.link.mu.Lock()
	defer w.link.mu.Unlock()
	if err := w.end(ctx, kill); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	return w.start(ctx)
}

// people makes the key store, the keys that all use, and the clients.
func (w *world) people(ctx context.Context) error {
	w.checker = w.newClient(0)
	w.gate.phase = calm
	if err := w.settle(ctx); err != nil {
		return err
	}
	if err := w.makeStore(ctx); err != nil {
		return err
	}
	w.checker.store = w.storeID
	for range firstKinds() {
		w.checker.step++
		w.checker.createKey(ctx)
	}
	var shared []*key
	for _, k := range w.checker.keys {
		if k.symmetric() {
			shared = append(shared, k)
		}
	}
	if len(shared) == 0 || shared[0].kind != secret {
		return fmt.Errorf("the first keys could not be made: %v", w.history.found())
	}
	for i := range w.Clients {
		c := w.newClient(i + 1)
		c.shared, c.store = shared, w.storeID
		w.clients = append(w.clients, c)
	}
	return nil
}

func (w *world) newClient(number int) *client {
	return &client{
		number: number, rng: rand.New(rand.NewPCG(w.Seed, uint64(number))),
		history: w.history, link: &w.link, gate: &w.gate, done: w.done, hidden: w.hidden(),
	}
}

// hidden is the beginning of all plaintexts.
func (w *world) hidden() []byte {
	rng := rand.New(rand.NewPCG(w.Seed, 1<<32))
	hidden := make([]byte, 18)
	for i := range hidden {
		hidden[i] = byte(rng.Uint32())
	}
	return hidden
}

// makeStore makes the custom key store and waits until it is connected.
func (w *world) makeStore(ctx context.Context) (err error) {
	for _, operation := range []string{"CreateCustomKeyStore", "ConnectCustomKeyStore"} {
		w.history.add(&request{Operation: operation, Lost: "the harness does not tell the id"})
	}
	if w.storeID, err = w.link.get().NewStore(ctx, w.site, clusterID); err != nil {
		return err
	}
	return w.settle(ctx)
}

// note notes a request of the world's own.
func (w *world) note(operation string, h *harness.Header, err error) {
	r := &request{Client: 0, Operation: operation}
	r.answered(h, err)
	w.history.add(r)
}
