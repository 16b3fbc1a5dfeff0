package powercut

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// check cuts the power, starts a server on what the disk has then, in a directory
// that does not exist yet, and returns everything that is not as it must be.
func (r *recording) check(ctx context.Context, c *cut, dir string) error {
	site, err := r.rebuild(ctx, c, dir)
	if err != nil {
		return err
	}
	e := examination{ledger: newLedger(r.notesUntil(c.at)), site: site}
	var found error
	if len(e.answered) > 0 { // before, there may be no journal yet
		found = verify(ctx, site)
	}
	server, err := site.Start(ctx)
	if err != nil {
		return errors.Join(found, fmt.Errorf("the server does not start: %w", err))
	}
	defer server.Kill()
	found = errors.Join(found, e.examine(ctx, server), server.Stop(ctx), verify(ctx, site), noOpenIntents(ctx, site))
	if found != nil {
		return fmt.Errorf("%w\nthe server's log:\n%s", found, server.Stderr)
	}
	return nil
}

// rebuild makes a directory with what the disk has of the site after a power cut.
func (r *recording) rebuild(ctx context.Context, c *cut, dir string) (*harness.Site, error) {
	if err := c.write(r.root, dir); err != nil {
		return nil, fmt.Errorf("writing what the disk has: %w", err)
	}
	token := r.token
	token.Conf, token.Store, token.PINFile = filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "tokens"), filepath.Join(dir, "pin")
	conf, err := os.ReadFile(r.token.Conf)
	if err != nil {
		return nil, err
	}
	conf = bytes.ReplaceAll(conf, []byte(r.token.Store), []byte(token.Store))
	if err := os.WriteFile(token.Conf, conf, 0o600); err != nil {
		return nil, err
	}
	return harness.NewSite(ctx, harness.Options{Binary: binary, Dir: dir, Token: &token})
}

// verify is `strongroom audit verify`.
func verify(ctx context.Context, site *harness.Site) error {
	if out, err := exec.CommandContext(ctx, binary, "audit", "verify", site.DataDir).CombinedOutput(); err != nil {
		return fmt.Errorf("audit verify: %w: %s", err, out)
	}
	return nil
}

// noOpenIntents expects that every intent in the journal has its event.
func noOpenIntents(ctx context.Context, site *harness.Site) error {
	trail, _, err := audit.Open(audit.Options{Dir: filepath.Join(site.DataDir, "journal")})
	if err != nil {
		return err
	}
	if open := trail.UnsettledIntents(); len(open) > 0 {
		err = fmt.Errorf("%d intents have no event: %+v", len(open), open)
	}
	return errors.Join(err, trail.Close(ctx))
}

// examination compares a server with what its clients were told before the cut.
type examination struct {
	*ledger
	site   *harness.Site
	client *harness.Client
}

func (e *examination) examine(ctx context.Context, server *harness.Server) (err error) {
	if e.client, err = e.site.Dial(server.Address, harness.Admin); err != nil {
		return err
	}
	steps := []func(context.Context) error{e.events, e.truths, e.noOrphans, e.revived, e.opens, e.goesOn}
	for _, step := range steps {
		err = errors.Join(err, step(ctx))
	}
	return errors.Join(err, e.client.Close())
}

// events expects one event for every answer.
func (e *examination) events(ctx context.Context) error {
	events, err := e.client.Events(ctx)
	if err != nil {
		return err
	}
	recorded := map[string][]harness.Event{}
	for _, event := range events {
		recorded[event.RequestID] = append(recorded[event.RequestID], event)
	}
	for id, operation := range e.answered {
		if of := recorded[id]; len(of) != 1 || of[0].EventName != operation || of[0].ErrorCode != "" {
			err = errors.Join(err, fmt.Errorf("%s was answered (request %s) and has the events %v", operation, id, of))
		}
	}
	return err
}

// truths expects every fact that was answered.
func (e *examination) truths(ctx context.Context) error {
	now, err := e.facts(ctx)
	if err != nil {
		return err
	}
	for name, values := range e.ledger.facts {
		if !slices.Contains(values, now[name]) {
			err = errors.Join(err, fmt.Errorf("%s is %q, want one of %q", name, now[name], values))
		}
	}
	return err
}

// facts returns what is true now.
func (e *examination) facts(ctx context.Context) (map[string]string, error) {
	facts, keys := map[string]string{}, map[string]string{}
	list, err := e.client.KMS.ListKeys(ctx, &kmsv1.ListKeysRequest{Limit: new(int32(1000))})
	if err != nil {
		return nil, err
	}
	for _, entry := range list.GetKeys() {
		res, err := e.client.KMS.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: entry.KeyArn})
		if err != nil {
			return nil, err
		}
		key := res.GetKeyMetadata()
		facts[stateOf(key.GetArn())] = key.GetKeyState().String()
		facts[descriptionOf(key.GetArn())] = key.GetDescription()
		keys[key.GetKeyId()] = key.GetArn()
	}
	aliases, err := e.client.KMS.ListAliases(ctx, &kmsv1.ListAliasesRequest{Limit: new(int32(100))})
	for _, a := range aliases.GetAliases() {
		facts[aliasOf(a.GetAliasName())] = keys[a.GetTargetKeyId()]
	}
	return facts, err
}

// noOrphans expects that token and metadata have the same keys.
func (e *examination) noOrphans(ctx context.Context) error {
	res, err := e.client.Operator.ListHsmOrphans(ctx, &operatorv1.ListHsmOrphansRequest{})
	if len(res.GetTokenOrphans())+len(res.GetMetadataOrphans()) > 0 {
		err = fmt.Errorf("token and metadata do not have the same keys: %v", res)
	}
	return err
}

// revived makes every key usable.
func (e *examination) revived(ctx context.Context) error {
	now, err := e.facts(ctx)
	for _, s := range e.sealed {
		state := stateOf(s.Key)
		if now[state] == pending {
			_, failed := e.client.KMS.CancelKeyDeletion(ctx, &kmsv1.CancelKeyDeletionRequest{KeyId: &s.Key})
			err = errors.Join(err, failed)
		}
		if now[state] != enabled {
			_, failed := e.client.KMS.EnableKey(ctx, &kmsv1.EnableKeyRequest{KeyId: &s.Key})
			err = errors.Join(err, failed)
		}
		now[state] = enabled
	}
	return err
}

// opens expects that ciphertexts which were answered can be decrypted: of every
// key the last two.
func (e *examination) opens(ctx context.Context) error {
	tried := map[string]int{}
	var wrong error
	for _, s := range slices.Backward(e.sealed) {
		if tried[s.Key]++; tried[s.Key] > 2 {
			continue
		}
		res, err := e.client.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: s.Blob, EncryptionContext: s.Context})
		if sum := sha256.Sum256(res.GetPlaintext()); err == nil && !bytes.Equal(sum[:], s.Sum) {
			err = errors.New("it is another plaintext")
		}
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("decrypting what was answered under %s: %w", s.Key, err))
		}
	}
	return wrong
}

// goesOn expects that the server makes and uses a key.
func (e *examination) goesOn(ctx context.Context) error {
	key, err := e.client.NewKey(ctx)
	if err != nil {
		return err
	}
	return harness.RoundTrip(ctx, e.client, key)
}
