package powercut

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

const (
	// clients is how many requests are in flight.
	clients = 8
	// killAfter is after how many answers the server is killed.
	killAfter = 120
)

// load makes requests of every kind, several at once.
type load struct {
	client *harness.Client
	pad    *notepad
	// rounds is how often each client begins again with a new key.
	rounds int
	// enough is called after killAfter answers; it may be nil.
	enough func()

	once     sync.Once
	answered atomic.Int64
}

// run makes all requests, or those until one fails.
func (l *load) run(ctx context.Context) error {
	first := make(chan error, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			if err := l.work(ctx); err != nil {
				first <- err
			}
		})
	}
	all.Wait()
	close(first)
	return <-first
}

// work is what one client does: each round is the life of a key.
func (l *load) work(ctx context.Context) error {
	var key, former string
	for range l.rounds {
		steps := []func() error{
			func() (err error) { key, err = l.createKey(ctx); return err },
			func() error { return l.encrypt(ctx, key) },
			func() error { return l.dataKeys(ctx, key) },
			func() error { return l.aliases(ctx, key, orElse(former, key)) },
			func() error { return l.reEncrypt(ctx, key, orElse(former, key)) },
			func() error { return l.states(ctx, key) },
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		former = key
	}
	return l.doomed(ctx, key)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// ask makes one request. What was answered is written down before anything else
// happens; fill adds it to the note.
func (l *load) ask(n note, request func(h grpc.CallOption, n *note) error) error {
	if len(n.Facts) > 0 {
		n.Asked = true
		if err := l.pad.write(n); err != nil {
			return err
		}
		n.Asked = false
	}
	var header harness.Header
	if err := request(header.Option(), &n); err != nil {
		return fmt.Errorf("%s: %w", n.Operation, err)
	}
	n.RequestID = header.RequestID()
	if err := l.pad.write(n); err != nil {
		return err
	}
	if l.answered.Add(1) >= killAfter && l.enough != nil {
		go l.once.Do(l.enough)
	}
	return nil
}

// change makes a request that makes facts true, and answers nothing else.
func (l *load) change(operation string, facts map[string]string, request func(h grpc.CallOption) error) error {
	return l.ask(note{Operation: operation, Facts: facts}, func(h grpc.CallOption, _ *note) error { return request(h) })
}

func (l *load) createKey(ctx context.Context) (key string, err error) {
	err = l.ask(note{Operation: "CreateKey"}, func(h grpc.CallOption, n *note) error {
		res, err := l.client.KMS.CreateKey(ctx, &kmsv1.CreateKeyRequest{}, h)
		key = res.GetKeyMetadata().GetArn()
		n.Facts = map[string]string{stateOf(key): enabled, descriptionOf(key): ""}
		return err
	})
	return key, err
}

// encrypt encrypts some plaintexts. The context is long, so that the events are.
func (l *load) encrypt(ctx context.Context, key string) error {
	pairs := map[string]string{"purpose": strings.Repeat("power cut ", 700)}
	for i := range 8 {
		plaintext := fmt.Appendf(nil, "%s %d", key, i)
		err := l.ask(note{Operation: "Encrypt"}, func(h grpc.CallOption, n *note) error {
			res, err := l.client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: plaintext, EncryptionContext: pairs}, h)
			n.Sealed = newSealed(key, res.GetCiphertextBlob(), pairs, plaintext)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dataKeys makes data keys and decrypts one of them.
func (l *load) dataKeys(ctx context.Context, key string) error {
	var made *kmsv1.GenerateDataKeyResponse
	err := l.ask(note{Operation: "GenerateDataKey"}, func(h grpc.CallOption, n *note) (err error) {
		made, err = l.client.KMS.GenerateDataKey(ctx, &kmsv1.GenerateDataKeyRequest{KeyId: &key, KeySpec: kmsv1.DataKeySpec_DATA_KEY_SPEC_AES_256.Enum()}, h)
		n.Sealed = newSealed(key, made.GetCiphertextBlob(), nil, made.GetPlaintext())
		return err
	})
	if err != nil {
		return err
	}
	return l.ask(note{Operation: "Decrypt"}, func(h grpc.CallOption, _ *note) error {
		res, err := l.client.KMS.Decrypt(ctx, &kmsv1.DecryptRequest{CiphertextBlob: made.GetCiphertextBlob()}, h)
		if err == nil && !bytes.Equal(res.GetPlaintext(), made.GetPlaintext()) {
			err = fmt.Errorf("a data key decrypts to something else")
		}
		return err
	})
}

// aliases gives a key a name that it takes from another key.
func (l *load) aliases(ctx context.Context, key, former string) error {
	name := "alias/" + key[strings.LastIndexByte(key, '/')+1:]
	err := l.change("CreateAlias", map[string]string{aliasOf(name): former}, func(h grpc.CallOption) error {
		_, err := l.client.KMS.CreateAlias(ctx, &kmsv1.CreateAliasRequest{AliasName: &name, TargetKeyId: &former}, h)
		return err
	})
	if err != nil {
		return err
	}
	return l.change("UpdateAlias", map[string]string{aliasOf(name): key}, func(h grpc.CallOption) error {
		_, err := l.client.KMS.UpdateAlias(ctx, &kmsv1.UpdateAliasRequest{AliasName: &name, TargetKeyId: &key}, h)
		return err
	})
}

// reEncrypt takes a ciphertext from one key to another.
func (l *load) reEncrypt(ctx context.Context, from, to string) error {
	plaintext := []byte("from " + from)
	sealed, err := l.client.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &from, Plaintext: plaintext})
	if err != nil {
		return fmt.Errorf("encrypting: %w", err)
	}
	return l.ask(note{Operation: "ReEncrypt"}, func(h grpc.CallOption, n *note) error {
		res, err := l.client.KMS.ReEncrypt(ctx, &kmsv1.ReEncryptRequest{CiphertextBlob: sealed.GetCiphertextBlob(), DestinationKeyId: &to}, h)
		n.Sealed = newSealed(to, res.GetCiphertextBlob(), nil, plaintext)
		return err
	})
}

// states changes what can be changed of a key, and ends where it began but for the
// description.
func (l *load) states(ctx context.Context, key string) error {
	description := "described"
	err := l.change("UpdateKeyDescription", map[string]string{descriptionOf(key): description}, func(h grpc.CallOption) error {
		_, err := l.client.KMS.UpdateKeyDescription(ctx, &kmsv1.UpdateKeyDescriptionRequest{KeyId: &key, Description: &description}, h)
		return err
	})
	if err != nil {
		return err
	}
	err = l.change("DisableKey", map[string]string{stateOf(key): disabled}, func(h grpc.CallOption) error {
		_, err := l.client.KMS.DisableKey(ctx, &kmsv1.DisableKeyRequest{KeyId: &key}, h)
		return err
	})
	if err != nil {
		return err
	}
	return l.change("EnableKey", map[string]string{stateOf(key): enabled}, func(h grpc.CallOption) error {
		_, err := l.client.KMS.EnableKey(ctx, &kmsv1.EnableKeyRequest{KeyId: &key}, h)
		return err
	})
}

// doomed schedules a key's deletion, thinks better of it, and better again; the
// alias goes.
func (l *load) doomed(ctx context.Context, key string) error {
	schedule := func() error {
		return l.change("ScheduleKeyDeletion", map[string]string{stateOf(key): pending}, func(h grpc.CallOption) error {
			_, err := l.client.KMS.ScheduleKeyDeletion(ctx, &kmsv1.ScheduleKeyDeletionRequest{KeyId: &key}, h)
			return err
		})
	}
	if err := schedule(); err != nil {
		return err
	}
	err := l.change("CancelKeyDeletion", map[string]string{stateOf(key): disabled}, func(h grpc.CallOption) error {
		_, err := l.client.KMS.CancelKeyDeletion(ctx, &kmsv1.CancelKeyDeletionRequest{KeyId: &key}, h)
		return err
	})
	if err != nil {
		return err
	}
	name := "alias/" + key[strings.LastIndexByte(key, '/')+1:]
	err = l.change("DeleteAlias", map[string]string{aliasOf(name): ""}, func(h grpc.CallOption) error {
		_, err := l.client.KMS.DeleteAlias(ctx, &kmsv1.DeleteAliasRequest{AliasName: &name}, h)
		return err
	})
	if err != nil {
		return err
	}
	return schedule()
}

func newSealed(key string, blob []byte, pairs map[string]string, plaintext []byte) *sealed {
	sum := sha256.Sum256(plaintext)
	return &sealed{Key: key, Blob: blob, Context: pairs, Sum: sum[:]}
}

// Key states, as facts tell of them.
const (
	enabled  = "KEY_STATE_ENABLED"
	disabled = "KEY_STATE_DISABLED"
	pending  = "KEY_STATE_PENDING_DELETION"
)

// The names of facts.
func stateOf(key string) string       { return "state of " + key }
func descriptionOf(key string) string { return "description of " + key }
func aliasOf(name string) string      { return "target of " + name }
