package authn

// Principals returns the ARN of the principal that the names of a verified client
// certificate stand for, or "" if they are nobody's. It is asked for each request,
// from many goroutines, and answers at once: what it says holds from the next
// request on, on open connections too. The URIs are as Go's net/url writes them:
// an empty fragment is not seen, and the scheme is in lower case.
type Principals func(uris, dns []string) string
