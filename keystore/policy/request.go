package policy

// Request is one question: may this principal do that?
type Request struct {
	// Principal is the caller's ARN, e.g.
	// "arn:aws:iam::000000000000:user/alice".
	Principal string
	// Action is an IAM action, e.g. "kms:Encrypt".
	Action string
	// Resource is the ARN of what is acted on, or "*" for actions that are not
	// about one resource.
	Resource string
	// Context has the values of condition keys and policy variables; nil has
	// none.
	Context Context
	// EncryptionContext is what the constraints of grants are compared with. For
	// conditions, Context has it.
	EncryptionContext map[string]string
	// GrantTokens are those of the request.
	GrantTokens []string
}

// Context answers with what is known of a request. An implementation is only read
// while a request is decided or explained, and must give the same answer every
// time.
type Context interface {
	// Values returns the values of a condition key, given in lower case, e.g.
	// "kms:encryptioncontext:department": one, or several for a key of several
	// values. ok is false if the request has no such key. The slice stays the
	// Context's.
	Values(key string) (values []string, ok bool)
}

// Sources is what may allow or deny a [Request].
type Sources struct {
	// KeyPolicy is the policy of the key that is acted on. With nil no
	// resource has a say, and the identity policies decide alone, as about
	// actions of the account.
	KeyPolicy *Document
	// KeyAccount is the account of the key, 12 digits.
	KeyAccount string
	// Identity has the caller's own policies; see [Identities.Of].
	Identity []*Document
	// Grants finds the key's grants; nil: there are none.
	Grants GrantFinder
}

// GrantFinder finds a grant that allows an operation, e.g. "Encrypt". It is safe
// for concurrent use. [Grants] is one.
type GrantFinder interface {
	Grant(principal, operation string, encryptionContext map[string]string, tokens []string) (id string, ok bool)
}
