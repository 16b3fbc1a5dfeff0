package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// checkTimeout bounds all checks of one quiet point.
const checkTimeout = 5 * time.Minute

// check is made between rounds, while the clients wait: of everything that has
// happened since the last one, and of what is used.
func (w *world) check(ctx context.Context, usual resources) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	w.checkMetadata(ctx)
	w.checkCiphertexts(ctx, false)
	if _, err := w.checkTrail(ctx); err != nil {
		return err
	}
	if _, err := w.checkLogs(ctx); err != nil {
		return err
	}
	if err := w.checkLostKeys(ctx); err != nil {
		return err
	}
	w.checkJournal(ctx)
	return w.checkUsage(ctx, usual)
}

// checkUsage expects that the usual is used, soon: a worker that notices a lost session
// only now is replaced.
func (w *world) checkUsage(ctx context.Context, usual resources) error {
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		now, err := w.measure(ctx)
		if err != nil {
			return err
		}
		w.report.first, w.report.last = usual, now
		found := checkResources(usual, now, 1+len(w.hsms))
		if len(found) == 0 || time.Since(start) > w.Recovery {
			w.objectAll(found)
			return nil
		}
	}
}

// lastCheck is made at the end, when the clients have gone: of everything that was ever
// answered, before and after the server has been stopped and started.
func (w *world) lastCheck(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if len(w.history.found()) > 0 {
		return nil
	}
	w.gate.phase = calm
	w.checkMetadata(ctx)
	w.revive(ctx)
	if err := w.dump(ctx); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		w.history.object("recovery", nil, "after an ordinary restart: %v", err)
		return nil
	}
	w.checkCiphertexts(ctx, true)
	if err := w.checkOrphans(ctx); err != nil {
		return err
	}
	events, err := w.checkTrail(ctx)
	if err != nil {
		return err
	}
	entries, err := w.checkLogs(ctx)
	if err != nil {
		return err
	}
	if err := w.end(ctx, false); err != nil {
		w.history.object("the end", nil, "%v", err)
	}
	w.checkJournal(ctx)
	if left := processes(w.Binary); len(left) > 0 {
		w.history.object("the end", nil, "the processes %v are left", left)
	}
	return w.checkSecrecy(events, entries)
}

// checkMetadata expects keys and aliases as they were answered, and no others. What
// was in doubt is known then.
func (w *world) checkMetadata(ctx context.Context) {
	w.checker.step++
	for _, k := range w.history.keys {
		if state := w.checker.describe(ctx, k); slices.Contains(k.states, state) {
			k.states = []kmsv1.KeyState{state}
		}
	}
	w.checkKeys(ctx)
	w.checkAliases(ctx)
}

// checkKeys expects every key that somebody was told of, and those whose maker's
// answer was lost, or none of them; no others.
func (w *world) checkKeys(ctx context.Context) {
	listed := w.listed(ctx)
	for _, k := range w.history.keys {
		if !slices.Contains(listed, k.arn) {
			w.history.object("keys", k.made, "%s does not exist", k.arn)
		}
		listed = slices.DeleteFunc(listed, func(arn string) bool { return arn == k.arn })
	}
	for _, arn := range listed {
		if !w.wasLost(w.description(ctx, arn)) {
			w.history.object("keys", nil, "%s exists, and nobody was told of it", arn)
		}
	}
}

// wasLost tells whether the answer to the request of a mark was lost.
func (w *world) wasLost(mark string) bool {
	return slices.ContainsFunc(w.history.requests, func(r *request) bool { return r.Mark == mark && r.Lost != "" })
}

// listed returns the ARNs of all keys.
func (w *world) listed(ctx context.Context) []string {
	var arns []string
	var marker *string
	for more := true; more; {
		w.checker.ask(ctx, asking{operation: "ListKeys", wanted: []string{""}},
			func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
				res, err := kms.ListKeys(ctx, &kmsv1.ListKeysRequest{Limit: new(int32(1000)), Marker: marker}, o)
				for _, entry := range res.GetKeys() {
					arns = append(arns, entry.GetKeyArn())
				}
				more, marker = res.GetTruncated(), res.NextMarker
				return err
			})
	}
	return arns
}

func (w *world) description(ctx context.Context, arn string) string {
	var text string
	w.checker.ask(ctx, asking{operation: "DescribeKey", name: arn, wanted: []string{""}},
		func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
			res, err := kms.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &arn}, o)
			text = res.GetKeyMetadata().GetDescription()
			return err
		})
	return text
}

// checkAliases expects every alias to name a key that it may name.
func (w *world) checkAliases(ctx context.Context) {
	targets := w.targets(ctx)
	for _, a := range w.history.aliases {
		at := slices.IndexFunc(a.targets, func(k *key) bool {
			if k == nil {
				return targets[a.name] == ""
			}
			return targets[a.name] != "" && strings.HasSuffix(k.arn, "/"+targets[a.name])
		})
		if at < 0 {
			w.history.object("aliases", nil, "%s names %q, want one of %v", a.name, targets[a.name], a.targets)
			continue
		}
		a.targets = []*key{a.targets[at]}
	}
}

// targets returns the ids of the keys that aliases name.
func (w *world) targets(ctx context.Context) map[string]string {
	targets := map[string]string{}
	var marker *string
	for more := true; more; {
		w.checker.ask(ctx, asking{operation: "ListAliases", wanted: []string{""}},
			func(ctx context.Context, kms kmsv1.KeyManagementServiceClient, o grpc.CallOption) error {
				res, err := kms.ListAliases(ctx, &kmsv1.ListAliasesRequest{Limit: new(int32(100)), Marker: marker}, o)
				for _, a := range res.GetAliases() {
					targets[a.GetAliasName()] = a.GetTargetKeyId()
				}
				more, marker = res.GetTruncated(), res.NextMarker
				return err
			})
	}
	return targets
}

// everybody has each client do something, at the same time.
func (w *world) everybody(do func(c *client)) {
	var all sync.WaitGroup
	for _, c := range append([]*client{w.checker}, w.clients...) {
		all.Go(func() { do(c) })
	}
	all.Wait()
}

// checkCiphertexts expects that ciphertexts decrypt and that MACs are recognised: all
// of enabled keys that were not checked yet, or all.
func (w *world) checkCiphertexts(ctx context.Context, all bool) {
	w.everybody(func(c *client) {
		c.step++
		for _, s := range c.sealed {
			if s.key.is(enabled) && (all || !s.checked) {
				c.open(ctx, s)
			}
		}
		for _, m := range c.macs {
			if m.key.is(enabled) && (all || !m.checked) {
				c.recognise(ctx, m)
			}
		}
	})
}

// revive makes every key usable.
func (w *world) revive(ctx context.Context) {
	w.everybody(func(c *client) {
		c.step++
		for range c.keys {
			c.cancelDeletion(ctx)
		}
		for range c.keys {
			c.enableKey(ctx)
		}
		for _, k := range c.keys {
			if !k.is(enabled) {
				c.history.object("states", k.made, "%s cannot be enabled: it is %v", k.arn, k.states)
			}
		}
	})
}

// checkLostKeys expects that no KMS key has lost its material.
func (w *world) checkLostKeys(ctx context.Context) error {
	res, err := w.orphans(ctx)
	for _, o := range res.GetMetadataOrphans() {
		w.history.object("orphans", nil, "key material is lost: %v", o)
	}
	return err
}

// checkOrphans expects that tokens and metadata have the same keys, as soon as the
// server has cleared away what was left.
func (w *world) checkOrphans(ctx context.Context) error {
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		res, err := w.orphans(ctx)
		if err != nil {
			return err
		}
		if len(res.GetTokenOrphans())+len(res.GetMetadataOrphans()) == 0 {
			return nil
		}
		if time.Since(start) > w.Recovery {
			w.history.object("orphans", nil, "token and metadata do not have the same keys: %v", res)
			return nil
		}
	}
}

// checkJournal has the program verify the journal.
func (w *world) checkJournal(ctx context.Context) {
	out, err := exec.CommandContext(ctx, w.Binary, "audit", "verify", w.site.DataDir).CombinedOutput()
	if err != nil {
		w.history.object("audit verify", nil, "%v: %s", err, out)
	}
}

// mostGoroutines is how many a server may have at rest.
const mostGoroutines = 500

// dump ends the server so that it tells of its goroutines, counts them, and starts it
// again.
func (w *world) dump(ctx context.Context) error {
	w.link.mu.Lock()
	defer w.link.mu.Unlock()
	w.kills = append(w.kills, time.Now())
	if err := w.server.Signal(syscall.SIGQUIT); err != nil {
		return fmt.Errorf("asking the server for its goroutines: %w", err)
	}
	select {
	case <-w.server.Exited():
	case <-ctx.Done():
		return fmt.Errorf("the server did not end: %w", ctx.Err())
	}
	w.report.goroutines = strings.Count(w.server.Stderr.String(), "\ngoroutine ")
	if n := w.report.goroutines; n == 0 || n > mostGoroutines {
		w.history.object("resources", nil, "the server has %d goroutines at rest, want at most %d", n, mostGoroutines)
	}
	return w.start(ctx)
}
