package keystore

// AccessKey is what AWS clients sign their requests with, without its id.
type AccessKey struct {
	Secret string
	// SessionToken goes with a temporary access key; empty: it is none.
	SessionToken string
	// Principal is the ARN of the principal whose it is.
	Principal string
}

// String keeps the secret out of what is printed.
func (k AccessKey) String() string { return "access key of " + k.Principal }

// GoString keeps the secret out of what is printed with %#v.
func (k AccessKey) GoString() string { return k.String() }
