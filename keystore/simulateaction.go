package keystore

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// simulatedAction is an action of the API, as its operation spells it.
type simulatedAction struct {
	name   string
	method *describe.Method
	place  int // among the actions of the operation
}

// actionNamed finds an action, whose name is compared without regard to case.
func (k *Keystore) actionNamed(name string) (simulatedAction, error) {
	for _, service := range k.api.Services() {
		for _, m := range service.Methods {
			at := slices.IndexFunc(m.Actions, func(a string) bool { return strings.EqualFold(a, name) })
			if at >= 0 {
				return simulatedAction{m.Actions[at], m, at}, nil
			}
		}
	}
	return simulatedAction{}, unimaginablef("Action", "there is no action %q.", name)
}

// onKey says whether policies are asked about the action on a key. An operation
// on an alias asks about its action on the alias, too, which has no key policy.
func (a simulatedAction) onKey() bool {
	return a.method.Resource == annotationsv1.ResourceKind_RESOURCE_KIND_KEY || a.method.Resource == annotationsv1.ResourceKind_RESOURCE_KIND_ALIAS
}

// request makes the operation's request, with nothing in it but the encryption
// context and the grant tokens.
func (a simulatedAction) request(req *operatorv1.SimulatePolicyRequest) (proto.Message, error) {
	of, err := protoregistry.GlobalTypes.FindMessageByName(a.method.Request.Desc.FullName())
	if err != nil {
		return nil, fmt.Errorf("making a request of %s: %w", a.method.Name, err)
	}
	made := of.New()
	if pairs := req.GetEncryptionContext(); len(pairs) > 0 {
		into, err := a.part(made, "EncryptionContext", a.contextName())
		if err != nil {
			return nil, err
		}
		for name, value := range pairs {
			into.Map().Set(protoreflect.ValueOfString(name).MapKey(), protoreflect.ValueOfString(value))
		}
	}
	if tokens := req.GetGrantTokens(); len(tokens) > 0 {
		into, err := a.part(made, "GrantTokens", "GrantTokens")
		if err != nil {
			return nil, err
		}
		for _, token := range tokens {
			into.List().Append(protoreflect.ValueOfString(token))
		}
	}
	return made.Interface(), nil
}

// part is a member of the operation's request, to be filled with what the
// simulation gives in a field of its own.
func (a simulatedAction) part(of protoreflect.Message, field, member string) (protoreflect.Value, error) {
	f := a.method.Request.ByWireName(member)
	if f == nil {
		return protoreflect.Value{}, unimaginablef(field, "a request of %s has none.", a.name)
	}
	return of.Mutable(f.Desc), nil
}

// contextName is the name of the action's encryption context: ReEncrypt has one of
// each side.
func (a simulatedAction) contextName() string {
	switch a.name {
	case "kms:ReEncryptFrom":
		return "SourceEncryptionContext"
	case "kms:ReEncryptTo":
		return "DestinationEncryptionContext"
	default:
		return "EncryptionContext"
	}
}

// conditionValues reads the values of condition keys, each of which some request
// could have.
func conditionValues(context []*operatorv1.ConditionValue) (map[string][]string, error) {
	values := make(map[string][]string, len(context))
	for i, c := range context {
		key := strings.ToLower(c.GetKey())
		if !slices.ContainsFunc(policy.KnownConditionKeys(), func(known string) bool { return isConditionKey(known, key) }) {
			return nil, unimaginablef(fmt.Sprintf("Context[%d].Key", i), "no request has the condition key %q.", c.GetKey())
		}
		if _, twice := values[key]; twice {
			return nil, unimaginablef(fmt.Sprintf("Context[%d].Key", i), "%q is there twice.", c.GetKey())
		}
		values[key] = c.GetValues()
	}
	return values, nil
}

// isConditionKey says whether key, in lower case, is the known one, or one of a
// name if the known one ends in "<key>".
func isConditionKey(known, key string) bool {
	prefix, _, named := strings.Cut(strings.ToLower(known), "<")
	if named {
		return len(key) > len(prefix) && strings.HasPrefix(key, prefix)
	}
	return key == prefix
}

// unimaginablef is the answer when a field keeps the request from being imagined.
func unimaginablef(field, format string, args ...any) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_VALIDATION, "%s: %s", field, fmt.Sprintf(format, args...))
}
