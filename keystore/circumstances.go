package keystore

import (
	"strconv"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// circumstances are the values of IAM condition keys for a request and one of its
// targets. They are read while a policy is evaluated, and only those that it
// names.
type circumstances struct {
	*request
	target target
	place  int // of the target among the request's
}

// Values implements policy.Context.
func (c *circumstances) Values(key string) ([]string, bool) {
	switch vendor, name, _ := strings.Cut(key, ":"); vendor {
	case "aws":
		if values, ok := c.global(name); ok {
			return values, true
		}
	case "kms":
		if values, ok := c.ofKey(name); ok {
			return values, true
		}
		if values, handled, ok := c.ofSide(name); handled {
			return values, ok
		}
	}
	if c.input == nil {
		return nil, false
	}
	return c.method.Request.ConditionValues(c.input, key)
}

// Grant implements policy.GrantFinder by the grants of the target, which is a key
// then.
func (c *circumstances) Grant(principal, operation string, encryptionContext map[string]string, tokens []string) (id string, ok bool) {
	return c.k.view.allowsByGrant(c.target.key.id, principal, operation, encryptionContext, tokens)
}

// global are the keys that IAM has for every service, without "aws:".
func (c *circumstances) global(name string) ([]string, bool) {
	if tag, ok := strings.CutPrefix(name, "resourcetag/"); ok {
		return c.resourceTag(tag)
	}
	switch name {
	case "currenttime":
		return one(c.caller.Time.UTC().Format(time.RFC3339))
	case "epochtime":
		return one(strconv.FormatInt(c.caller.Time.Unix(), 10))
	case "principalarn":
		return one(policy.RoleOf(c.caller.Principal))
	case "principalaccount":
		return one(c.identity().AccountID)
	case "principaltype":
		return one(principalType(c.identity().Type))
	case "userid":
		return one(c.identity().PrincipalID)
	case "username":
		name := c.identity().UserName
		return one(name[strings.LastIndexByte(name, '/')+1:]) // without its path
	case "sourceip":
		return one(c.caller.SourceIP)
	case "useragent":
		return one(c.caller.UserAgent)
	case "securetransport":
		return one(strconv.FormatBool(c.caller.TLS != nil))
	case "requestedregion":
		return one(c.k.scope.region)
	case "resourceaccount":
		return one(c.k.scope.account)
	}
	return nil, false
}

// principalType is the type of an event's userIdentity as IAM's condition key
// aws:PrincipalType has it.
func principalType(t string) string {
	switch t {
	case "Root":
		return "Account"
	case "IAMUser":
		return "User"
	}
	return t
}

// resourceTag reads a tag of the target; the names of condition keys do not
// tell capitals from small letters.
func (c *circumstances) resourceTag(name string) ([]string, bool) {
	if c.target.key == nil {
		return nil, false
	}
	var values []string
	for _, t := range c.target.key.record.GetTags() {
		if strings.EqualFold(t.GetKey(), name) {
			values = append(values, t.GetValue())
		}
	}
	return values, values != nil
}

// ofKey are KMS's condition keys about the caller and the key, without "kms:".
func (c *circumstances) ofKey(name string) ([]string, bool) {
	switch name {
	case "calleraccount":
		return one(c.identity().AccountID)
	case "encryptionalgorithm":
		return c.dataKeyAlgorithm()
	case "grantconstrainttype":
		return c.grantConstraintType()
	case "requestalias":
		return one(c.requestAlias())
	case "resourcealiases":
		return c.resourceAliases()
	}
	k := c.target.key
	if k == nil {
		return c.ofNewKey(name)
	}
	switch name {
	case "keyspec", "customermasterkeyspec":
		return one(describe.WireName(k.record.GetKeySpec()))
	case "keyusage", "customermasterkeyusage":
		return one(describe.WireName(k.record.GetKeyUsage()))
	case "keyorigin":
		return one(describe.WireName(k.record.GetOrigin()))
	case "multiregion":
		return one("false")
	}
	return nil, false
}

// ofNewKey are the same of the key that CreateKey is to make.
func (c *circumstances) ofNewKey(name string) ([]string, bool) {
	req, ok := c.input.(*kmsv1.CreateKeyRequest)
	if !ok {
		return nil, false
	}
	spec, usage := specAndUsage(req)
	switch name {
	case "keyspec", "customermasterkeyspec":
		return one(describe.WireName(spec))
	case "keyusage", "customermasterkeyusage":
		return one(describe.WireName(usage))
	case "keyorigin":
		return one(describe.WireName(originOf(req)))
	case "multiregion":
		return one(strconv.FormatBool(req.GetMultiRegion()))
	}
	return nil, false
}

// requestAlias is the alias by which the request names the target.
func (c *circumstances) requestAlias() string {
	ref := c.target.ref
	if i := strings.LastIndex(ref, ":"+aliasPrefix); i >= 0 {
		ref = ref[i+1:]
	}
	if !strings.HasPrefix(ref, aliasPrefix) {
		return ""
	}
	return ref
}

func (c *circumstances) resourceAliases() ([]string, bool) {
	if c.target.key == nil {
		return nil, false
	}
	aliases, _ := c.k.view.aliasPage(c.target.key.id, "", maxAliases)
	names := make([]string, len(aliases))
	for i, a := range aliases {
		names[i] = a.name
	}
	return names, len(names) > 0
}

// ofSide are the condition keys of which ReEncrypt has two values, one of each
// side.
func (c *circumstances) ofSide(name string) (values []string, handled, ok bool) {
	req, isReEncrypt := c.input.(*kmsv1.ReEncryptRequest)
	if !isReEncrypt {
		return nil, false, false
	}
	switch {
	case name == "encryptionalgorithm":
		a := req.GetSourceEncryptionAlgorithm()
		if c.place > 0 {
			a = req.GetDestinationEncryptionAlgorithm()
		}
		values, ok = one(describe.WireName(orSymmetric(a)))
	case name == "reencryptonsamekey":
		values, ok = one(strconv.FormatBool(c.onSameKey()))
	case name == "encryptioncontextkeys":
		for k := range c.encryptionContext() {
			values = append(values, k)
		}
		ok = values != nil
	case strings.HasPrefix(name, "encryptioncontext:"):
		for k, v := range c.encryptionContext() {
			if strings.EqualFold(k, name[len("encryptioncontext:"):]) {
				values = append(values, v)
			}
		}
		ok = values != nil
	default:
		return nil, false, false
	}
	return values, true, ok
}

func (c *circumstances) onSameKey() bool {
	source, destination := c.targets[0].key, c.targets[1].key
	return source != nil && destination != nil && source.id == destination.id
}

// encryptionContext is the one that the request has for the target.
func (c *circumstances) encryptionContext() map[string]string {
	switch req := c.input.(type) {
	case *kmsv1.ReEncryptRequest:
		if c.place > 0 {
			return req.GetDestinationEncryptionContext()
		}
		return req.GetSourceEncryptionContext()
	case interface{ GetEncryptionContext() map[string]string }:
		return req.GetEncryptionContext()
	}
	return nil
}

// one is the value of a condition key; an empty one is none.
func one(value string) ([]string, bool) {
	if value == "" {
		return nil, false
	}
	return []string{value}, true
}

// grantConstraintType names the constraint of the grant that is to be made.
func (c *circumstances) grantConstraintType() ([]string, bool) {
	req, _ := c.input.(*kmsv1.CreateGrantRequest)
	switch {
	case len(req.GetConstraints().GetEncryptionContextEquals()) > 0:
		return one("EncryptionContextEquals")
	case len(req.GetConstraints().GetEncryptionContextSubset()) > 0:
		return one("EncryptionContextSubset")
	}
	return nil, false
}

// dataKeyAlgorithm is by what data keys are encrypted, which their requests do not
// say.
func (c *circumstances) dataKeyAlgorithm() ([]string, bool) {
	switch c.input.(type) {
	case *kmsv1.GenerateDataKeyRequest, *kmsv1.GenerateDataKeyWithoutPlaintextRequest,
		*kmsv1.GenerateDataKeyPairRequest, *kmsv1.GenerateDataKeyPairWithoutPlaintextRequest:
		return one(describe.WireName(symmetricDefault))
	}
	return nil, false
}
