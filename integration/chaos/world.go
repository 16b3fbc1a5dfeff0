package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// hsm is an HSM of the world: a worker with faults of its own.
type hsm struct {
	id string
	// dir has the library's control file and its log.
	dir    string
	faults *faultp11.Library
	// cluster says that it is the custom key store's, and not one of the members.
	cluster bool
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
	cluster *harness.Token
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
	var err error
	if w.site, err = harness.NewSite(ctx, harness.Options{Binary: o.Binary, Dir: o.Dir}); err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, "cluster")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if w.cluster, err = harness.NewToken(ctx, dir); err != nil {
		return nil, err
	}
	if err := w.openLibraries(); err != nil {
		return nil, err
	}
	return w, w.configure()
}

func (w *world) openLibraries() error {
	rng := rand.New(rand.NewPCG(w.Seed, 1<<34))
	for i := range w.Members + 1 {
		name := fmt.Sprintf("hsm-chaosmember%c", 'a'+i)
		cluster := i == w.Members
		if cluster {
			name = "hsm-chaoscluster"
		}
		dir := filepath.Join(w.Dir, name)
		faults, err := faultp11.Open(faultp11.Options{
			Dir: dir, Path: w.Library, SoftHSM: w.site.Token.Library, Log: true,
		})
		if err != nil {
			return err
		}
		h := &hsm{id: name, dir: dir, faults: faults, cluster: cluster, habits: habits(rng)}
		if err := h.calm(); err != nil {
			return err
		}
		w.Log("HSM %d: %v", i, h.habits)
		w.hsms = append(w.hsms, h)
	}
	return nil
}

// env is the environment of an HSM's worker, in YAML.
func (h *hsm) env(token *harness.Token) string {
	var all []string
	for _, v := range append(h.faults.Env(), "SOFTHSM2_CONF="+token.Conf) {
		name, value, _ := strings.Cut(v, "=")
		all = append(all, fmt.Sprintf("%s: %q", name, value))
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// hangTimeout is the configuration's hsm.hang_timeout: short, so that a hang costs
// little of the run.
const hangTimeout = 3 * time.Second

// configure writes the configuration, in place of the site's own.
func (w *world) configure() error {
	var b strings.Builder
	server := filepath.Join(w.Dir, "server")
	fmt.Fprintf(&b, "account: \"111122223333\"\nregion: %s\ndata_dir: %q\nlisten: 127.0.0.1:0\n", harness.Region, w.site.DataDir)
	fmt.Fprintf(&b, "tls: {cert: %q, key: %q, client_ca: %q}\n", server+".crt", server+".key", w.site.CA.Cert)
	fmt.Fprintf(&b, "principals:\n  - {arn: %q, names: [%q], policies: [admin]}\n", harness.ARN(harness.Admin), harness.SPIFFE(harness.Admin))
	fmt.Fprintf(&b, "limits: {default_deadline: %v}\nlog: {level: debug}\n", serverDeadline)
	fmt.Fprintf(&b, "hsm:\n%s  pin: {file: %q}\n  members:\n", w.device("  "), w.site.Token.PINFile)
	for _, h := range w.members() {
		fmt.Fprintf(&b, "    - {hsm_id: %s, env: %s}\n", h.id, h.env(w.site.Token))
	}
	h := w.hsms[w.Members]
	fmt.Fprintf(&b, "clusters:\n  - id: %s\n%s    hsm_id: %s\n    env: %s\n    trust_anchor: %q\n",
		clusterID, w.device("    "), h.id, h.env(w.cluster), w.site.CA.Cert)
	if err := os.WriteFile(w.site.Config, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

func (w *world) device(indent string) string {
	return fmt.Sprintf("%[1]slibrary: %[2]q\n%[1]stoken: {label: %[3]q}\n%[1]sprofile: softhsm\n%[1]shang_timeout: %[4]v\n",
		indent, w.Library, harness.TokenLabel, hangTimeout)
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
func (w *world) makeStore(ctx context.Context) error {
	anchor, err := os.ReadFile(w.site.CA.Cert)
	if err != nil {
		return fmt.Errorf("reading the trust anchor: %w", err)
	}
	var h harness.Header
	kms := w.link.get().KMS
	res, err := kms.CreateCustomKeyStore(ctx, &kmsv1.CreateCustomKeyStoreRequest{
		CustomKeyStoreName: new("chaos"), CloudHsmClusterId: new(clusterID),
		TrustAnchorCertificate: new(string(anchor)), KeyStorePassword: &w.cluster.PIN,
	}, h.Option())
	w.note("CreateCustomKeyStore", &h, err)
	if err != nil {
		return fmt.Errorf("making the custom key store: %w", err)
	}
	w.storeID = res.GetCustomKeyStoreId()
	_, err = kms.ConnectCustomKeyStore(ctx, &kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: &w.storeID}, h.Option())
	w.note("ConnectCustomKeyStore", &h, err)
	if err != nil {
		return fmt.Errorf("connecting the custom key store: %w", err)
	}
	return w.settle(ctx)
}

// note notes a request of the world's own.
func (w *world) note(operation string, h *harness.Header, err error) {
	r := &request{Client: 0, Operation: operation}
	r.answered(h, err)
	w.history.add(r)
}
