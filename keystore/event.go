package keystore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/proto/describe"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// event is the request's API event, as CloudTrail records a KMS call.
func (r *request) event(res proto.Message, err error) *audit.APIEvent {
	e := r.k.newEvent(r.method)
	e.UserIdentity = r.identity()
	e.SourceIPAddress = r.caller.SourceIP
	e.UserAgent = r.caller.UserAgent
	e.RequestID = r.caller.RequestID
	e.EventType = audit.EventTypeAPICall
	e.TLSDetails = r.tlsDetails()
	e.Resources = r.resources()
	e.AdditionalEventData = r.proof.additional()
	e.MetadataRevision = r.proof.revision
	if err != nil {
		failure := AsError(err)
		e.ErrorCode, e.ErrorMessage = describe.ErrorOf(failure.Kind).Name, failure.Message
	}
	// A request outside its limits, or from nobody, is not shown: it can be of
	// any size.
	if r.valid {
		e.RequestParameters = r.method.AppendRequestEvent(nil, r.input)
	}
	if err == nil {
		e.ResponseElements = r.responseElements(res)
	}
	return e
}

// responseElements shows the answer. As in CloudTrail, a change that answers
// nothing shows the key that was changed; of an alias, the key that it names.
func (r *request) responseElements(res proto.Message) []byte {
	if r.method.ReadOnly || r.method.EmptyOutput == annotationsv1.EmptyOutput_EMPTY_OUTPUT_UNSPECIFIED || len(r.targets) == 0 || r.targets[0].isStore {
		return r.method.AppendResponseEvent(nil, res)
	}
	of := r.targets[len(r.targets)-1]
	return append(jsonenc.AppendString([]byte(`{"keyId":`), of.resource), '}')
}

// newEvent fills in what every event of a method has.
func (k *Keystore) newEvent(m *describe.Method) *audit.APIEvent {
	return &audit.APIEvent{
		EventTime:          time.Now(),
		EventSource:        m.EventSource,
		EventName:          m.Name,
		AWSRegion:          k.scope.region,
		EventID:            uuid.NewString(),
		ReadOnly:           m.ReadOnly,
		RecipientAccountID: k.scope.account,
	}
}

// resources names what the request acted on, each resource once; of an alias
// also its key.
func (r *request) resources() []audit.Resource {
	var named []audit.Resource
	add := func(arn string) {
		if !slices.ContainsFunc(named, func(o audit.Resource) bool { return o.ARN == arn }) {
			named = append(named, r.k.resource(arn))
		}
	}
	for _, t := range r.targets {
		if t.key != nil || t.isAlias {
			add(t.resource)
		}
	}
	if k := r.proof.key; k != nil {
		add(k.arn) // one that the request has made
	}
	return named
}

func (k *Keystore) resource(arn string) audit.Resource {
	return audit.Resource{AccountID: k.scope.account, Type: audit.ResourceTypeKey, ARN: arn}
}

// identity describes the caller by its principal's ARN.
func (r *request) identity() audit.UserIdentity {
	u := audit.UserIdentity{Type: "Unknown", ARN: r.caller.Principal, CredentialID: r.caller.Credential, AccessKeyID: r.caller.AccessKeyID}
	p := strings.SplitN(r.caller.Principal, ":", 6)
	if len(p) != 6 {
		return u
	}
	u.AccountID, u.PrincipalID = p[4], p[5]
	kind, name, _ := strings.Cut(p[5], "/")
	switch kind {
	case "root":
		u.Type, u.PrincipalID = "Root", p[4]
	case "user":
		u.Type, u.UserName = "IAMUser", name
	case "role":
		u.Type = "Role"
	case "assumed-role":
		u.Type = "AssumedRole"
	}
	return u
}

func (r *request) tlsDetails() *audit.TLSDetails {
	t := r.caller.TLS
	if t == nil {
		return nil
	}
	return &audit.TLSDetails{TLSVersion: t.Version, CipherSuite: t.CipherSuite, ClientProvidedHostHeader: t.Host}
}

// additionalRoom is enough, in bytes, for what additional says of most requests.
const additionalRoom = 256

// additional says where in the HSMs the request was done: in which custom key
// store, by which HSM, with which backing key, and what the HSM returned. It is nil
// when no HSM was asked.
func (p *proof) additional() []byte {
	b := p.ofStore(make([]byte, 0, additionalRoom))
	if p.trace.HSM != "" {
		b = appendMember(b, "hsmId", []byte(p.trace.HSM))
	}
	switch {
	case p.destroyed != nil:
		b = appendDestroyed(b, p.destroyed)
	case p.trace.HSM != "":
		b = p.ofMaterial(b)
	}
	if p.trace.HSM != "" {
		b = appendMember(b, "returnCode", []byte(ckr.RV(p.trace.RV).String()))
	}
	if len(b) == 0 {
		return nil
	}
	b[0] = '{'
	return append(b, '}')
}

// ofStore appends the custom key store that a request was about.
func (p *proof) ofStore(b []byte) []byte {
	id := p.storeID()
	if len(p.targets) > 0 && p.targets[0].store != nil {
		s := p.targets[0].store
		b = appendMember(b, "customKeyStoreName", []byte(s.record.GetName()))
		b = appendMember(b, "clusterId", []byte(s.record.GetClusterId()))
		id = s.id
	}
	if id != "" {
		b = appendMember(b, "customKeyStoreId", []byte(id))
	}
	if p.using != nil && p.destroyed != nil && id != "" {
		b = appendMember(b, "clusterId", []byte(p.k.placed(p.using).cluster))
	}
	return b
}

// ofMaterial appends the backing keys that were used.
func (p *proof) ofMaterial(b []byte) []byte {
	switch {
	case p.source != (hsmpool.ObjectID{}):
		b = appendMaterial(b, `,"sourceBackingKeyId":`, `,"sourceKeyMaterialId":`, p.source)
		b = appendMaterial(b, `,"destinationBackingKeyId":`, `,"destinationKeyMaterialId":`, p.material)
	case p.material != (hsmpool.ObjectID{}):
		b = appendMaterial(b, `,"backingKeyId":`, `,"keyMaterialId":`, p.material)
	}
	return b
}

func appendMaterial(b []byte, object, name string, id hsmpool.ObjectID) []byte {
	b = jsonenc.AppendString(append(b, object...), id.String())
	return jsonenc.AppendString(append(b, name...), materialID(id))
}

// Reject writes the event of a request that a front end could not hand to its
// operation: one of an unknown method, or one in whose handling the front end
// failed. It returns the error to answer with, which is e when the event is
// durable.
func (k *Keystore) Reject(ctx context.Context, fullMethod string, e *Error) error {
	caller, _ := CallerFrom(ctx)
	m := k.api.Method(fullMethod)
	if m == nil {
		m = unknownMethod(fullMethod)
	}
	r := newRequest(k, m, caller)
	err := r.reject(r.startSpans(ctx), e)
	r.answered(err)
	return err
}

// reject records an error and returns what is to be answered.
func (r *request) reject(ctx context.Context, e *Error) error {
	if failed := r.record(ctx, nil, e); failed != nil {
		return failed
	}
	return e
}

// unknownMethod stands for a method that the API does not have. Its event shows
// the whole name, and a source of its own: the caller chose the name, and must
// not be able to write what looks like the event of a real operation.
func unknownMethod(fullMethod string) *describe.Method {
	return &describe.Method{Service: &describe.Service{EventSource: "unknown.strongroom"}, Name: fullMethod, FullMethod: fullMethod}
}

// appendMember appends a comma and a member of a JSON object.
func appendMember(b []byte, name string, value []byte) []byte {
	b = append(jsonenc.AppendString(append(b, ','), name), ':')
	return jsonenc.AppendString(b, string(value))
}
