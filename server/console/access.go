package console

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// How long links and sessions last, and how many there are.
const (
	linkLife    = time.Minute
	sessionLife = 8 * time.Hour
	sessionIdle = 30 * time.Minute

	maxLinks          = 128
	linksOfAPrincipal = 4

	maxSessions          = 256
	sessionsOfAPrincipal = 8
)

// Access knows who is signed in by a link. It is there before the Console, for those who
// make links.
type Access struct {
	base     *url.URL
	identity func(principal string) string
	links    tokens
	sessions tokens
	now      func() time.Time
}

// NewAccess returns the Access of a console whose address, as browsers have it, is base:
// "https://kms.example:7402", without a path. identity gives what tells a principal of an ARN
// from an earlier or a later one, "" if there is none: links and sessions are of one only. It
// is asked at each request.
func NewAccess(base string, identity func(principal string) string) (*Access, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the console's address: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("the console's address %q is not of the form https://host:port", base)
	}
	return &Access{
		base: &url.URL{Scheme: u.Scheme, Host: u.Host}, identity: identity, now: time.Now,
		links:    tokens{limit: maxLinks, share: linksOfAPrincipal},
		sessions: tokens{limit: maxSessions, share: sessionsOfAPrincipal},
	}, nil
}

// Link is part of keystore.ConsoleLinks. The link is good for a minute; of more than four
// unused ones of a principal the oldest are not.
func (a *Access) Link(principal string) (link string, expires time.Time, err error) {
	now := a.now()
	expires = now.Add(linkLife)
	secret, ok := a.links.add(now, token{principal: principal, identity: a.identity(principal), ends: expires})
	if !ok {
		return "", time.Time{}, &keystore.Error{
			Kind: annotationsv1.ErrorKind_ERROR_KIND_THROTTLING, Message: "There are too many unused links to the console. Try again in a minute.",
		}
	}
	u := a.base.JoinPath("sign-in")
	u.RawQuery = url.Values{linkField: {secret}}.Encode()
	return u.String(), expires, nil
}

// stands says whether the principal of a token is still there, and the same.
func (a *Access) stands(t token) bool {
	return t.identity != "" && a.identity(t.principal) == t.identity
}

// secure says that browsers come by HTTPS.
func (a *Access) secure() bool { return a.base.Scheme == "https" }

// cookie is the name of the session's cookie. A browser takes one with the prefix only from
// this host, over TLS, for all paths.
func (a *Access) cookie() string {
	if a.secure() {
		return "__Host-strongroom-session"
	}
	return "strongroom-session"
}

// isOurs says whether a request's Host is the console's. Another one may have been made to
// mean this address by a page that wants to read the answer. Forwarded ports
// (ssh -L) have other numbers, which a page cannot make use of.
func (a *Access) isOurs(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return strings.EqualFold(name, a.base.Hostname()) || isLoopback(a.base.Hostname()) && isLoopback(name)
}

func isLoopback(name string) bool {
	ip := net.ParseIP(trimBrackets(name))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

func trimBrackets(name string) string {
	if len(name) > 1 && name[0] == '[' && name[len(name)-1] == ']' {
		return name[1 : len(name)-1]
	}
	return name
}
