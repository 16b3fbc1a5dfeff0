package keystore

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// Where the rows come from: the pages of the AWS KMS Developer Guide and API
// Reference, or what follows from them.
const (
	keyStates    = "Developer Guide, Key states of AWS KMS keys"
	permissions  = "Developer Guide, Troubleshooting AWS KMS permissions"
	apiReference = "API Reference, Errors"
	common       = "API Reference, Common Errors"
	inferred     = "inferred"
)

// answer is what a request is to be answered: a kind, ok for none, and the full
// message. In it {arn} is that of the key, {usage} its usage, {op} and {action} those
// of the operation.
type answer struct {
	kind    Kind
	message string
	source  string
}

// conformanceRow is a request and its answer.
type conformanceRow struct {
	name, caller string
	request      proto.Message
	key          *kmsv1.KeyMetadata // that the answer is of; nil: none
	state        kmsv1.KeyState     // of the key meanwhile; unspecified: enabled
	want         answer
}

// keyed is an operation on a key, of which the rows that all such operations have
// are generated.
type keyed struct {
	request proto.Message // valid, but for the key
	field   protoreflect.Name
	spec    kmsv1.KeySpec
	usage   kmsv1.KeyUsageType
	// disabled, pending: what is answered for a key in these states; zero: as for
	// one that is enabled.
	disabled, pending answer
	// in is what is answered for one in the other states; none: as for one that is
	// enabled.
	in         map[kmsv1.KeyState]answer
	wrongUsage bool   // a key of another usage is refused
	enabled    answer // zero: done
}

// conformance is the state of the test.
type conformance struct {
	*service
	// keys of every usage, which nothing changes for good.
	keys     map[kmsv1.KeyUsageType]*kmsv1.KeyMetadata
	awaiting *kmsv1.KeyMetadata // a key without its material
	rsa      *kmsv1.KeyMetadata // of 2048 bits, that encrypts
	sealed   []byte             // under the symmetric key
	count    map[string]int
	door     Door // nil: the methods of Keystore
}

// TestConformance makes every request of the table, and counts the rows of each
// operation.
func TestConformance(t *testing.T) { RunConformance(t, nil) }

// Door is another way to make requests of a Keystore than by its methods.
type Door interface {
	// Call makes a request as a principal. It fails with an *Error of the kind and
	// message that the caller is told.
	Call(principal string, req proto.Message) error
}

// RunConformance makes the requests of the table that can be made through a door.
func RunConformance(t *testing.T, open func(*Keystore) Door) {
	t.Helper()
	t.Parallel()
	c := &conformance{service: startService(t), keys: make(map[kmsv1.KeyUsageType]*kmsv1.KeyMetadata), count: make(map[string]int)}
	if open != nil {
		c.door = open(c.Keystore)
	}
	c.keys[encryptDecrypt] = c.createKey()
	c.keys[signVerify], c.keys[keyAgreement] = c.keyOf(curveSpec, signVerify), c.keyOf(curveSpec, keyAgreement)
	c.keys[generateVerifyMac] = c.keyOf(secretSpec, generateVerifyMac)
	c.awaiting, c.rsa = c.awaitingKey(aKeySpec, encryptDecrypt), c.keyOf(kmsv1.KeySpec_KEY_SPEC_RSA_2048, encryptDecrypt)
	c.must(c.createAlias("alias/here", c.keys[encryptDecrypt].KeyId))
	sealed, err := c.encrypt(c.keys[encryptDecrypt].GetKeyId())
	c.must(err)
	c.sealed = sealed
	for _, o := range keyedOperations() {
		c.checkKeyed(t, o)
	}
	requests := c.wellFormed()
	for _, r := range slices.Concat(c.accountRows(), c.limitRows(), c.countRows(), refusedRows(), c.sizeRows(requests), c.nameRows(requests), c.kindRows(), c.pairRows()) {
		c.check(t, r)
	}
	c.report(t)
}

// report prints how many rows each operation has, and finds one without any.
func (c *conformance) report(t *testing.T) {
	total := 0
	for _, m := range c.methods() {
		t.Logf("%-40s %d", m.Name, c.count[m.Name])
		if c.count[m.Name] == 0 {
			t.Errorf("%s has no row", m.Name)
		}
		total += c.count[m.Name]
	}
	t.Logf("%d rows", total)
}

func (c *conformance) methods() []*describe.Method {
	of := strings.TrimPrefix(kmsv1.KeyManagementService_Encrypt_FullMethodName, "/")
	for _, s := range c.api.Services() {
		if strings.HasPrefix(of, string(s.FullName)+"/") {
			return s.Methods
		}
	}
	return nil
}

// operationOf is the operation that a request is of.
func operationOf(req proto.Message) string {
	return strings.TrimSuffix(string(req.ProtoReflect().Descriptor().Name()), "Request")
}

// call makes a request by its operation's name.
func (c *conformance) call(principal string, req proto.Message) error {
	if c.door != nil {
		return c.door.Call(principal, req)
	}
	ctx := c.as(principal)
	method := reflect.ValueOf(c.Keystore).MethodByName(operationOf(req))
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(req)})
	err, _ := out[1].Interface().(error)
	return err
}

// check makes the request of a row; a row's key is put into its state meanwhile.
func (c *conformance) check(t *testing.T, r conformanceRow) {
	if c.door != nil && (r.caller == "" || hasUnknownEnum(r.request)) {
		return // nobody signs it; it cannot be spelt
	}
	operation := operationOf(r.request)
	c.count[operation]++
	t.Run(operation+"/"+r.name, func(t *testing.T) {
		s := c.in(t)
		if r.state != kmsv1.KeyState_KEY_STATE_UNSPECIFIED {
			s.setState(r.key.KeyId, r.state)
			defer s.setState(r.key.KeyId, r.key.GetKeyState())
		}
		err := c.call(r.caller, r.request)
		message := ""
		if err != nil {
			message = AsError(err).Message
		}
		want := r.want.text(operation, r.key)
		if kindOf(err) != r.want.kind || message != want {
			t.Errorf("%v\n got %q\nwant %v\n     %q (%s)", kindOf(err), message, r.want.kind, want, r.want.source)
		}
	})
}

// setState puts a key into a state, by its record.
func (s *service) setState(id *string, state kmsv1.KeyState) {
	s.t.Helper()
	s.change(id, func(r *storagev1.KeyRecord) {
		r.State, r.DeletionDate = &state, nil
		if state == pendingDeletion {
			r.DeletionDate = timestamppb.New(time.Now().Add(30 * 24 * time.Hour))
		}
	})
}

// text is the full message, of an operation with the key.
func (a answer) text(operation string, key *kmsv1.KeyMetadata) string {
	return strings.NewReplacer("{arn}", key.GetArn(), "{op}", operation, "{action}", "kms:"+operation,
		"{usage}", describe.WireName(key.GetKeyUsage())).Replace(a.message)
}

// The answers that many operations give.
func deniedOn(resource string) answer {
	return answer{denied, "User: " + nobody + " is not authorized to perform: {action} on resource: " + resource +
		" because no identity-based policy allows the {action} action", permissions}
}

func whenDisabled() answer { return answer{isDisabled, "{arn} is disabled.", keyStates} }
func whenPending() answer  { return answer{wrongState, "{arn} is pending deletion.", keyStates} }

// refusedIn are the answers to keys in some states.
func refusedIn(states ...kmsv1.KeyState) map[kmsv1.KeyState]answer {
	words := map[kmsv1.KeyState]string{
		creating: "creating", pendingReplicaDeletion: "pending replica deletion", pendingImport: "pending import", unavailable: "unavailable", updating: "updating",
	}
	refused := make(map[kmsv1.KeyState]answer)
	for _, s := range states {
		refused[s] = answer{wrongState, "{arn} is " + words[s] + ".", keyStates}
	}
	return refused
}

const goneID = "12345678-1234-1234-1234-123456789012"

// checkKeyed makes the rows of an operation on a key, and the requests.
func (c *conformance) checkKeyed(t *testing.T, o keyed) {
	key := c.keyOf(o.spec, o.usage)
	on := func(id *string) proto.Message {
		req := proto.Clone(o.request)
		r := req.ProtoReflect()
		f := r.Descriptor().Fields().ByName(o.field)
		if id == nil {
			r.Clear(f)
		} else {
			r.Set(f, protoreflect.ValueOfString(*id))
		}
		return req
	}
	rows := []conformanceRow{
		{name: "denied", caller: nobody, request: on(key.KeyId), want: deniedOn("{arn}")},
		{name: "denied, and the key is pending deletion", caller: nobody, request: on(key.KeyId), state: pendingDeletion, want: deniedOn("{arn}")},
		{name: "denied, and the key is unknown", caller: nobody, request: on(new(goneID)), want: deniedOn("arn:aws:kms:us-east-1:000000000000:key/" + goneID)},
		{name: "unknown key", caller: admin, request: on(new(goneID)),
			want: answer{notFound, "Key 'arn:aws:kms:us-east-1:000000000000:key/" + goneID + "' does not exist", apiReference}},
		{name: "no key id", caller: admin, request: on(new("payroll")), want: answer{notFound, "Invalid keyId 'payroll'", inferred}},
		{name: "no caller", caller: "", request: on(key.KeyId),
			want: answer{annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT, "The credentials in the request are not those of a known principal.", common}},
		{name: "disabled", caller: admin, request: on(key.KeyId), state: disabled, want: either(o.disabled, o.enabled)},
		{name: "pending deletion", caller: admin, request: on(key.KeyId), state: pendingDeletion, want: either(o.pending, o.enabled)},
	}
	for _, state := range []kmsv1.KeyState{creating, pendingReplicaDeletion, pendingImport, unavailable, updating} {
		rows = append(rows, conformanceRow{name: stateInWords(state), caller: admin, request: on(key.KeyId), state: state, want: either(o.in[state], o.enabled)})
	}
	if o.wrongUsage {
		rows = append(rows, c.wrongUsageRows(o, on)...)
	}
	for _, r := range append(rows, conformanceRow{name: "allowed", caller: admin, request: on(key.KeyId), want: o.enabled}) {
		if r.key == nil {
			r.key = key
		}
		c.check(t, r)
	}
}

// wrongUsageRows ask with a key of another usage, which wins over its state.
func (c *conformance) wrongUsageRows(o keyed, on func(*string) proto.Message) []conformanceRow {
	other := c.keys[encryptDecrypt]
	if o.usage == encryptDecrypt {
		other = c.keys[signVerify]
	}
	want := answer{wrongUsage, "{arn} key usage is {usage} which is not valid for {op}.", apiReference}
	and := answer{want.kind, want.message, inferred}
	return []conformanceRow{
		{name: "wrong usage", caller: admin, request: on(other.KeyId), key: other, want: want},
		{name: "wrong usage, and disabled", caller: admin, request: on(other.KeyId), key: other, state: disabled, want: and},
	}
}

func either(a, b answer) answer {
	if a == (answer{}) {
		return b
	}
	return a
}
