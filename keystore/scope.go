package keystore

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/keystore/policy"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^([a-z]+-){2,3}[0-9]+$`)
)

// scope is an account and a Region: the namespace of keys.
type scope struct {
	account, region string
	// defaultPolicy is that of keys without one of their own.
	defaultPolicy *policy.Document
}

func newScope(account, region string) (scope, error) {
	if !accountPattern.MatchString(account) {
		return scope{}, fmt.Errorf("keystore: account %q is not 12 digits", account)
	}
	if !regionPattern.MatchString(region) {
		return scope{}, fmt.Errorf("keystore: Region %q does not look like us-east-1", region)
	}
	document, err := policy.ParseKeyPolicy(policy.DefaultKeyPolicy(account))
	if err != nil {
		return scope{}, fmt.Errorf("keystore: the default key policy: %w", err)
	}
	return scope{account: account, region: region, defaultPolicy: document}, nil
}

// arn names a resource of KMS in the scope, e.g. "key/<uuid>".
func (s scope) arn(resource string) string {
	return "arn:aws:kms:" + s.region + ":" + s.account + ":" + resource
}

func (s scope) keyARN(id uuid.UUID) string { return s.arn("key/" + id.String()) }

// storeARN and those after it name in intents what AWS has no ARN for, or has it in
// IAM. sealingKeyARN is the label of the key that seals the secrets of access keys.
func (s scope) storeARN(id string) string    { return s.arn("custom-key-store/" + id) }
func (s scope) policyARN(name string) string { return "arn:aws:iam::" + s.account + ":policy/" + name }
func (s scope) accessKeyARN(id string) string {
	return "arn:aws:iam::" + s.account + ":access-key/" + id
}
func (s scope) sealingKeyARN() string { return "arn:aws:iam::" + s.account + ":sealing-key" }

// auditKeyARN names a key that signs digests of the audit trails, and is its label.
func (s scope) auditKeyARN(id string) string { return "arn:aws:iam::" + s.account + ":audit-key/" + id }

// The scope's names in the metadata store.
func (s scope) prefix() string              { return s.account + "/" + s.region + "/" }
func (s scope) keyPrefix() string           { return s.prefix() + "key/" }
func (s scope) keyPath(id uuid.UUID) string { return s.keyPrefix() + id.String() }
func (s scope) aliasPath(n string) string   { return s.prefix() + n } // n begins with aliasPrefix
func (s scope) servicePath() string         { return s.prefix() + "service" }
func (s scope) grantPrefix() string         { return s.prefix() + "grant/" }
func (s scope) grantPath(key uuid.UUID, id string) string {
	return s.grantPrefix() + key.String() + "/" + id
}
func (s scope) invocations(id string) string   { return s.prefix() + "invocations/" + id }
func (s scope) usagePath(key uuid.UUID) string { return s.prefix() + "usage/" + key.String() }
func (s scope) trackingPath() string           { return s.prefix() + "tracking" }
func (s scope) storePrefix() string            { return s.prefix() + "store/" }
func (s scope) storePath(id string) string     { return s.storePrefix() + id }

// The names of what is of the account, and of no Region.
func (s scope) globalPrefix() string            { return s.account + "/global/" }
func (s scope) principalPath(arn string) string { return s.globalPrefix() + "principal/" + arn }
func (s scope) policyPath(name string) string   { return s.globalPrefix() + "policy/" + name }
func (s scope) accessKeyPath(id string) string  { return s.globalPrefix() + "access-key/" + id }
func (s scope) sealingKeyPath() string          { return s.globalPrefix() + "sealing-key" }
func (s scope) auditKeyPath(id string) string   { return s.globalPrefix() + "audit-key/" + id }
func (s scope) loginPrefix() string             { return s.globalPrefix() + "login/" }
func (s scope) loginPath(serial string) string  { return s.loginPrefix() + url.PathEscape(serial) }

// reference is what a KeyId of a request names: a key, or an alias.
type reference struct {
	key   uuid.UUID
	alias string // with aliasPrefix; empty: key is meant
}

// parseReference reads a key id, key ARN, alias name or alias ARN. Its error is
// of a kind and in the words that AWS answers; undeclared InvalidArn becomes
// NotFound in perform.
func (s scope) parseReference(ref string) (reference, error) {
	name := ref
	if strings.HasPrefix(ref, "arn:") {
		var err error
		if name, err = s.resourceOf(ref); err != nil {
			return reference{}, err
		}
	}
	if strings.HasPrefix(name, aliasPrefix) {
		return reference{alias: name}, nil
	}
	parsed, err := uuid.Parse(name)
	if err != nil || parsed.String() != name {
		return reference{}, invalidKeyID(ref)
	}
	return reference{key: parsed}, nil
}

// invalidKeyID is the error of a KeyId that cannot name a key.
func invalidKeyID(ref string) error {
	return errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Invalid keyId '%s'", ref)
}

// resourceOf returns the key id or the alias name of an ARN in this scope.
func (s scope) resourceOf(arn string) (string, error) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[2] != "kms" {
		return "", errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN, "Invalid arn %s", arn)
	}
	name, isKey := strings.CutPrefix(p[5], "key/")
	if isAlias := strings.HasPrefix(name, aliasPrefix); isKey == isAlias {
		return "", errorf(annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN, "Invalid arn %s", arn)
	}
	if p[1] != "aws" || p[3] != s.region {
		return "", errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Invalid arn %s", p[3])
	}
	if p[4] == s.account {
		return name, nil
	}
	if isKey {
		return "", errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Key '%s' does not exist", arn)
	}
	return "", errorf(annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND, "Alias %s is not found.", arn)
}
