package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/strongroom-kms/strongroom/integration/harness"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// marker is no secret: it has to be found, so that the search is known to work.
const marker = "a-context-that-everybody-may-see"

// What stands in a secret field of any request or answer stands in no log, no
// event, no HSM entry, no error and no file of the server, and in no span, metric or
// record that a collector is sent; nor does the PIN.
func TestSecretsAreNowhere(t *testing.T) {
	c, site := startOTLPCollector(t), newSite(t, harness.Options{LogLevel: "trace"})
	configure(t, site, fmt.Sprintf("\naudit: {otlp: {endpoint: 'http://%[1]s'}}\nopentelemetry: {endpoint: 'http://%[1]s', metrics_period: 1s, traces: 1}\n", c.address)+
		"metrics: {listen: '127.0.0.1:0'}\nconsole: {enabled: true}\n")
	server := start(t, site)
	admin := dial(t, site, server, harness.Admin)
	p := newPlanter(t, admin, newKey(t, admin), newKey(t, admin))
	for _, m := range unaryMethods() {
		p.callAllWays(t, m)
	}
	killWorker(t, server) // for the worker's last words, and the next one's first
	if err := harness.RoundTrip(within(t, 10*time.Second), admin, p.key); err != nil {
		t.Error(err)
	}
	for name, seen := range p.fields {
		if !seen {
			t.Errorf("no call had anything in the secret field %s", name)
		}
	}
	p.secrets["PIN"] = []byte(site.Token.PIN)

	places := trailsAndErrors(t, admin, p.errors)
	places["a process's arguments"] = commandLines(t, server)
	stop(t, server.Process)
	places["the server's log"] = server.Stdout.String() + server.Stderr.String()
	places["what a collector was sent"] = c.received()
	addFiles(t, places, site.DataDir)
	expectNowhere(t, p.secrets, places)
	for _, span := range []string{"C_Encrypt", "strongroom_requests_total"} {
		if !strings.Contains(c.received(), span) {
			t.Errorf("a collector was not sent %s", span)
		}
	}
	for _, place := range []string{"the server's log", "the API events", "what a collector was sent"} {
		if !strings.Contains(places[place], marker) {
			t.Errorf("%s, searched for secrets, lacks what it should show", place)
		}
	}
	expectSearched(t, places, ".json.gz", marker)
	expectSearched(t, places, ".json.gz", `"digestPublicKeyFingerprint"`)
	expectSearched(t, places, ".log.gz", "CN_GENERATE_KEY (0x17)")
	expectSearched(t, places, "state.json", "journalId")
}

// planter calls methods with secrets in every secret field, and remembers the
// secrets of requests and answers.
type planter struct {
	client  *harness.Client
	key     string // is used
	managed string // is disabled, named, and so on

	rotating, signing, macing, agreeing *string // other keys, which stay enabled

	blob    []byte // of a secret
	secrets map[string][]byte
	fields  map[protoreflect.FullName]bool // all secret fields; true: had a value
	errors  []string
}

func newPlanter(t *testing.T, client *harness.Client, key, managed string) *planter {
	t.Helper()
	p := &planter{client: client, key: key, managed: managed, secrets: map[string][]byte{}, fields: map[protoreflect.FullName]bool{}}
	for _, m := range unaryMethods() {
		for _, message := range []protoreflect.MessageDescriptor{m.Input(), m.Output()} {
			for f := range secretFields(message, nil) {
				p.fields[f] = false
			}
		}
	}
	if len(p.fields) == 0 {
		t.Fatal("the API has no secret fields")
	}
	// Of external key stores, which there are none of to be described.
	delete(p.fields, "strongroom.kms.v1.XksProxyConfiguration.access_key_id")
	p.makeKeys(t)
	res, err := client.KMS.Encrypt(t.Context(), &kmsv1.EncryptRequest{
		KeyId: &key, Plaintext: []byte(p.plant("Encrypt")), EncryptionContext: map[string]string{"note": marker},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.blob = res.GetCiphertextBlob()
	return p
}

func unaryMethods() []protoreflect.MethodDescriptor {
	var all []protoreflect.MethodDescriptor
	for _, file := range []protoreflect.FileDescriptor{kmsv1.File_strongroom_kms_v1_kms_proto, operatorv1.File_strongroom_operator_v1_operator_proto} {
		methods := file.Services().Get(0).Methods()
		for i := range methods.Len() {
			if m := methods.Get(i); !m.IsStreamingServer() && !m.IsStreamingClient() {
				all = append(all, m)
			}
		}
	}
	return all
}

// secretFields collects the fields marked debug_redact, of nested messages too.
func secretFields(m protoreflect.MessageDescriptor, into map[protoreflect.FullName]bool) map[protoreflect.FullName]bool {
	if into == nil {
		into = map[protoreflect.FullName]bool{}
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if isSecret(f) {
			into[f.FullName()] = true
		}
		if f.Message() != nil && !f.IsMap() && f.Message().ParentFile().Package() == m.ParentFile().Package() {
			secretFields(f.Message(), into)
		}
	}
	return into
}

func isSecret(f protoreflect.FieldDescriptor) bool {
	options, ok := f.Options().(*descriptorpb.FieldOptions)
	return ok && options.GetDebugRedact()
}

// plant returns a new secret.
func (p *planter) plant(where string) string {
	secret := rand.Text()
	p.secrets[fmt.Sprintf("planted in %s, %d", where, len(p.secrets))] = []byte(secret)
	return secret
}

// callAllWays calls a method so that it succeeds, unless it is refused by design,
// and in ways that fail early and late.
func (p *planter) callAllWays(t *testing.T, m protoreflect.MethodDescriptor) {
	t.Helper()
	err := p.call(t, m, func(*dynamicpb.Message) {})
	switch refused := refusedByDesign[string(m.Name())]; {
	case !refused && err != nil:
		t.Errorf("%s: %v", m.FullName(), err)
	case refused && (err == nil || strings.Contains(err.Error(), "validation error")):
		t.Errorf("%s: %v, want a good request refused", m.FullName(), err)
	}
	p.keepError(err)
	for _, spoil := range []func(*dynamicpb.Message){
		func(r *dynamicpb.Message) { setField(r, "key_id", protoreflect.ValueOfString(unknownKey)) },
		func(r *dynamicpb.Message) { setField(r, "key_id", protoreflect.ValueOfString("not/a key")) },
		func(r *dynamicpb.Message) { setField(r, "number_of_bytes", protoreflect.ValueOfInt32(1<<20)) },
		func(r *dynamicpb.Message) { setField(r, "dry_run", protoreflect.ValueOfBool(true)) },
		func(r *dynamicpb.Message) {
			long := protoreflect.ValueOfBytes(bytes.Repeat([]byte(p.plant(string(m.Name()))), 200))
			setField(r, "plaintext", long)
			setField(r, "message", long)
		},
		func(r *dynamicpb.Message) { // is not that of the message
			setField(r, "mac", protoreflect.ValueOfBytes([]byte(p.plant(string(m.Name())))))
		},
		func(r *dynamicpb.Message) {
			setField(r, "key_store_password", protoreflect.ValueOfString(strings.Repeat(p.plant(string(m.Name())), 2)))
		},
		func(r *dynamicpb.Message) { // decrypts, but with another context
			r.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
				if f.IsMap() {
					r.Clear(f)
				}
				return true
			})
		},
	} {
		p.keepError(p.call(t, m, spoil))
	}
}

func (p *planter) keepError(err error) {
	if err != nil {
		p.errors = append(p.errors, err.Error(), fmt.Sprint(status.Convert(err).Details()))
	}
}

func setField(r *dynamicpb.Message, name protoreflect.Name, v protoreflect.Value) {
	if f := r.Descriptor().Fields().ByName(name); f != nil {
		r.Set(f, v)
	}
}

// call calls a method with a good request that spoil may change.
func (p *planter) call(t *testing.T, m protoreflect.MethodDescriptor, spoil func(*dynamicpb.Message)) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, res := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	p.fill(req)
	if more := p.particulars(t, req); more != nil {
		proto.Merge(req, more)
	}
	spoil(req)
	p.remember(req, "the request of "+string(m.Name()))
	err := p.client.Invoke(ctx, fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name()), req, res)
	p.remember(res, "the answer of "+string(m.Name()))
	return err
}

// fill makes a good request.
func (p *planter) fill(r *dynamicpb.Message) {
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		rule, _ := proto.GetExtension(f.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRule)
		switch {
		case isSecret(f):
			p.fillSecret(r, f)
		case rule.GetReference() == annotationsv1.ReferenceKind_REFERENCE_KIND_CIPHERTEXT:
			r.Set(f, protoreflect.ValueOfBytes(p.blob))
		case rule.GetReference() == annotationsv1.ReferenceKind_REFERENCE_KIND_KEY_OR_ALIAS:
			r.Set(f, protoreflect.ValueOfString(p.key))
		case rule.GetReference() == annotationsv1.ReferenceKind_REFERENCE_KIND_KEY:
			r.Set(f, protoreflect.ValueOfString(p.managed))
		case rule.GetReference() == annotationsv1.ReferenceKind_REFERENCE_KIND_ALIAS:
			r.Set(f, protoreflect.ValueOfString("alias/managed"))
		case f.Name() == "description":
			r.Set(f, protoreflect.ValueOfString(marker))
		case f.Name() == "number_of_bytes":
			r.Set(f, protoreflect.ValueOfInt32(32))
		case f.IsMap(): // an encryption context
			r.Mutable(f).Map().Set(protoreflect.ValueOfString("note").MapKey(), protoreflect.ValueOfString(marker))
		}
	}
}

// fillSecret fills a secret field, and if it is a message all that is in it.
func (p *planter) fillSecret(r protoreflect.Message, f protoreflect.FieldDescriptor) {
	switch f.Kind() {
	case protoreflect.MessageKind:
		inner := r.Mutable(f).Message()
		for i := range inner.Descriptor().Fields().Len() {
			p.fillSecret(inner, inner.Descriptor().Fields().Get(i))
		}
	case protoreflect.StringKind:
		secret := p.plant(string(f.FullName()))
		rule, _ := proto.GetExtension(f.Options(), annotationsv1.E_Field).(*annotationsv1.FieldRule)
		if int(rule.GetSize().GetMin()) > len(secret) {
			secret += secret
		}
		r.Set(f, protoreflect.ValueOfString(secret))
	default:
		r.Set(f, protoreflect.ValueOfBytes([]byte(p.plant(string(f.FullName())))))
	}
}

// remember notes the secrets of a message.
func (p *planter) remember(m protoreflect.Message, what string) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if isSecret(f) {
			p.fields[f.FullName()] = true
		}
		switch {
		case f.Message() != nil && f.IsList():
			for i := range v.List().Len() {
				p.remember(v.List().Get(i).Message(), what)
			}
		case f.Message() != nil && !f.IsMap():
			p.remember(v.Message(), what)
		case isSecret(f) && f.Kind() == protoreflect.StringKind:
			p.keep(what, []byte(v.String()))
		case isSecret(f):
			p.keep(what, v.Bytes())
		}
		return true
	})
}

// keep keeps a secret. A private key begins as all of its kind do, so that the number
// in it is kept too.
func (p *planter) keep(what string, secret []byte) {
	p.secrets[fmt.Sprintf("%s, %d", what, len(p.secrets))] = secret
	key, err := x509.ParsePKCS8PrivateKey(secret)
	pair, ok := key.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return
	}
	if number, err := pair.Bytes(); err == nil {
		p.secrets[fmt.Sprintf("the number in %s, %d", what, len(p.secrets))] = number
	}
}

// trailsAndErrors returns what clients can see.
func trailsAndErrors(t *testing.T, client *harness.Client, errors []string) map[string]string {
	t.Helper()
	var events, entries strings.Builder
	for _, e := range allEvents(t, client) {
		fmt.Fprintln(&events, e.JSON)
	}
	log, err := client.HSMLog(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		fmt.Fprintln(&entries, e.GetText(), e.GetEntryJson())
	}
	return map[string]string{
		"the API events": events.String(),
		"the HSM log":    entries.String(),
		"the errors":     strings.Join(errors, "\n"),
	}
}

// readable returns what is in a file, uncompressed.
func readable(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil || filepath.Ext(path) != ".gz" {
		return string(content), err
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return "", err
	}
	content, err = io.ReadAll(z)
	return string(content), err
}

// expectSearched expects that a kind of file is among the places, and shows in one
// what it should show.
func expectSearched(t *testing.T, places map[string]string, suffix, shown string) {
	t.Helper()
	for place, text := range places {
		if strings.HasSuffix(place, suffix) && strings.Contains(text, shown) {
			return
		}
	}
	t.Errorf("no file *%s, searched for secrets, shows %s", suffix, shown)
}

// commandLines returns the arguments of both processes, which everybody can
// read, and the environment of the worker.
func commandLines(t *testing.T, server *harness.Server) string {
	t.Helper()
	worker, err := server.Worker(within(t, 10*time.Second), 0)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range []string{
		fmt.Sprintf("/proc/%d/cmdline", server.PID()), fmt.Sprintf("/proc/%d/cmdline", worker), fmt.Sprintf("/proc/%d/environ", worker),
	} {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			continue // the worker is not dumpable: nobody but root reads its environment
		}
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// addFiles adds every file below a directory.
func addFiles(t *testing.T, places map[string]string, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		places[path], err = readable(path)
		return err
	})
	if err != nil || files < 2 {
		t.Fatalf("searching %d files in %s: %v", files, dir, err)
	}
}
