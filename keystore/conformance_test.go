package keystore

import (
	"context"
	"reflect"
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
	state        kmsv1.KeyState // of the key; unspecified: enabled
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
	wrongUsage        bool   // a key of another usage is refused
	enabled           answer // zero: done
}

// conformance is the state of the test.
type conformance struct {
	*service
	// keys of every usage, which nothing changes for good.
	keys     map[kmsv1.KeyUsageType]*kmsv1.KeyMetadata
	awaiting *kmsv1.KeyMetadata // a key without its material
	count    map[string]int
}

// TestConformance makes every request of the table, and counts the rows of each
// operation.
func TestConformance(t *testing.T) {
	c := &conformance{service: startService(t), keys: make(map[kmsv1.KeyUsageType]*kmsv1.KeyMetadata), count: make(map[string]int)}
	c.keys[encryptDecrypt] = c.createKey()
	c.keys[signVerify], c.keys[keyAgreement] = c.keyOf(curveSpec, signVerify), c.keyOf(curveSpec, keyAgreement)
	c.keys[generateVerifyMac] = c.keyOf(secretSpec, generateVerifyMac)
	c.awaiting = c.awaitingKey(aKeySpec, encryptDecrypt)
	for _, o := range keyedOperations() {
		c.checkKeyed(t, o)
	}
	for _, r := range c.accountRows() {
		c.check(t, r, nil)
	}
	for _, r := range c.limitRows() {
		c.check(t, r, nil)
	}
	for _, r := range refusedRows() {
		c.check(t, r, nil)
	}
	for _, r := range c.sizeRows(c.wellFormed()) {
		c.check(t, r, nil)
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
func (c *conformance) call(ctx context.Context, req proto.Message) error {
	method := reflect.ValueOf(c.Keystore).MethodByName(operationOf(req))
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(req)})
	err, _ := out[1].Interface().(error)
	return err
}

// check makes the request of a row; a row's key is put into its state first.
func (c *conformance) check(t *testing.T, r conformanceRow, key *kmsv1.KeyMetadata) {
	operation := operationOf(r.request)
	c.count[operation]++
	t.Run(operation+"/"+r.name, func(t *testing.T) {
		s := c.in(t)
		if key != nil {
			s.setState(key.KeyId, r.state)
		}
		err := c.call(s.as(r.caller), r.request)
		message := ""
		if err != nil {
			message = AsError(err).Message
		}
		want := r.want.text(operation, key)
		if kindOf(err) != r.want.kind || message != want {
			t.Errorf("%v\n got %q\nwant %v\n     %q (%s)", kindOf(err), message, r.want.kind, want, r.want.source)
		}
	})
}

// setState puts a key into a state, by its record.
func (s *service) setState(id *string, state kmsv1.KeyState) {
	s.t.Helper()
	if state == kmsv1.KeyState_KEY_STATE_UNSPECIFIED {
		state = enabled
	}
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
	for _, r := range rows {
		c.check(t, r, key)
	}
	if o.wrongUsage {
		c.checkWrongUsage(t, o, on)
	}
	c.check(t, conformanceRow{name: "allowed", caller: admin, request: on(key.KeyId), want: o.enabled}, key)
}

// checkWrongUsage asks with a key of another usage, which wins over its state.
func (c *conformance) checkWrongUsage(t *testing.T, o keyed, on func(*string) proto.Message) {
	other := c.keys[encryptDecrypt]
	if o.usage == encryptDecrypt {
		other = c.keys[signVerify]
	}
	want := answer{annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE, "{arn} key usage is {usage} which is not valid for {op}.", apiReference}
	c.check(t, conformanceRow{name: "wrong usage", caller: admin, request: on(other.KeyId), want: want}, other)
	want.source = inferred
	c.check(t, conformanceRow{name: "wrong usage, and disabled", caller: admin, request: on(other.KeyId), state: disabled, want: want}, other)
	c.setState(other.KeyId, enabled)
}

func either(a, b answer) answer {
	if a == (answer{}) {
		return b
	}
	return a
}
