package reliability

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
)

// options say what a world is made of. All may be zero.
type options struct {
	// members is how many HSMs hold the same keys; default one.
	members int
	// faults are those of all HSMs from the beginning.
	faults []faultp11.Fault
	// hang is the configuration's hsm.hang_timeout; default one second.
	hang time.Duration
	// deadline is what clients give their requests; default three seconds.
	deadline time.Duration
	// profile is the configuration's hsm.profile and label its hsm.token.label; hsm is
	// further lines of hsm, and limits its limits.
	profile, label string
	hsm            []string
	limits         string
	// impaired worlds begin although not every HSM is ready.
	impaired bool
	// prepare is called before the server is started.
	prepare func(*world) error
}

// hsm is an HSM of the world: a worker's token, behind faults of its own.
type hsm struct {
	id     string
	faults *faultp11.Library
}

// world is a server with its HSMs, and a client. It is one scenario's.
type world struct {
	options
	ctx    context.Context //nolint:containedctx // a world lives as long as its scenario
	logf   func(format string, args ...any)
	site   *harness.Site
	hsms   []*hsm
	server *harness.Server
	client *harness.Client
	crowd  []*harness.Client // further connections
	acks   acknowledged
	loads  []*load // also those that the scenario has not stopped
}

// newWorld makes the token and the configuration of a world in which a defence may be
// missing.
func newWorld(ctx context.Context, t *testing.T, o options, without defence.Defence) (*world, error) {
	t.Helper()
	o.members = max(o.members, 1)
	o.hang = cmp.Or(o.hang, time.Second)
	o.deadline = cmp.Or(o.deadline, 3*time.Second)
	w := &world{options: o, ctx: ctx, logf: t.Logf}
	dir := t.TempDir()
	members, err := w.makeHSMs(dir, without)
	if err != nil {
		return nil, err
	}
	w.site, err = harness.NewSite(ctx, harness.Options{
		Binary: built.binary, Dir: dir, Library: built.faults, Members: members,
		HangTimeout: o.hang, Profile: o.profile, Label: o.label, HSM: o.hsm, Limits: o.limits,
		Env: []string{"STRONGROOM_WITHOUT=" + string(without)},
	})
	if err == nil && o.prepare != nil {
		err = o.prepare(w)
	}
	return w, err
}

// makeHSMs gives each HSM its faults.
func (w *world) makeHSMs(dir string, without defence.Defence) ([]harness.Member, error) {
	members := harness.Members(w.members)
	pins := filepath.Join(dir, "pins") // all are on one token
	if err := os.Mkdir(pins, 0o700); err != nil {
		return nil, err
	}
	for i := range members {
		m := &members[i]
		faults, err := faultp11.Open(faultp11.Options{
			Dir: filepath.Join(dir, m.HSMID), Path: built.faults, SoftHSM: built.softHSM, Log: true,
			PINs: pins,
		})
		if err != nil {
			return nil, err
		}
		if err := faults.Set(w.faults...); err != nil {
			return nil, err
		}
		m.Env["STRONGROOM_WITHOUT"] = string(without)
		for _, variable := range faults.Env() {
			name, value, _ := strings.Cut(variable, "=")
			m.Env[name] = value
		}
		w.hsms = append(w.hsms, &hsm{id: m.HSMID, faults: faults})
	}
	return members, nil
}

// start starts the server and waits until every HSM is ready.
func (w *world) start() (err error) {
	if w.server, err = w.site.Start(w.ctx); err != nil {
		return err
	}
	if w.client, err = w.site.Dial(w.server.Address, harness.Admin); err != nil || w.impaired {
		return err
	}
	for _, h := range w.hsms {
		if err := w.described(h, ready); err != nil {
			return err
		}
	}
	return nil
}

// orderly is how long a server may take to end, with its workers, before it is killed.
const orderly = 10 * time.Second

// startAgain kills the server and starts it on the same data.
func (w *world) startAgain() error {
	w.server.Kill()
	if err := w.client.Close(); err != nil {
		return err
	}
	return w.start()
}

// close ends what is left of the world.
func (w *world) close() error {
	var errs []error
	for _, h := range w.hsms {
		errs = append(errs, h.faults.Clear())
	}
	for _, l := range w.loads {
		l.end()
		l.done.Wait()
	}
	for _, c := range w.crowd {
		errs = append(errs, c.Close())
	}
	if w.client != nil {
		errs = append(errs, w.client.Close())
	}
	if w.server == nil {
		return errors.Join(errs...)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), orderly)
	defer cancel()
	if err := w.server.Stop(ctx); err != nil {
		w.logf("the server did not end in order: %v", err)
	}
	return errors.Join(errs...)
}

// lastWords is the end of the server's log.
func (w *world) lastWords() string {
	const most = 6 << 10
	if w.server == nil {
		return ""
	}
	log := w.server.Stderr.String()
	return log[max(0, len(log)-most):]
}

// checkEnd checks what must be true at the end of every scenario.
func (w *world) checkEnd() error {
	select {
	case <-w.server.Exited():
		return broken(errRestarted, "the server has ended:\n%s", w.server.Stderr)
	default:
	}
	for _, h := range w.hsms {
		if err := h.faults.Clear(); err != nil {
			return err
		}
	}
	if err := w.kept(); err != nil {
		return err
	}
	return w.audited()
}

// audited checks that the events of all that was acknowledged are there.
func (w *world) audited() error {
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	events, err := w.client.Events(ctx)
	if err != nil {
		return broken(errLost, "reading the events: %w", err)
	}
	seen := make(map[string]bool, len(events))
	for _, e := range events {
		seen[e.RequestID] = true
	}
	for _, a := range w.acks.all() {
		if !seen[a.requestID] {
			return broken(errLost, "the request %s was answered, and has no event", a.requestID)
		}
	}
	return nil
}
