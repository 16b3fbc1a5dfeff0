package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// principalARN is what AWS KMS accepts as a principal, of the kinds that can call
// it: the account root, IAM users and roles, and STS sessions.
var principalARN = regexp.MustCompile(
	`^arn:aws[a-z-]*:(iam::[0-9]{12}:(root|(user|role)/[\w+=,.@/-]+)|sts::[0-9]{12}:(assumed-role|federated-user)/[\w+=,.@/-]+)$`)

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// maxPrincipal is the longest principal ARN, in bytes (AWS KMS: GranteePrincipal).
const maxPrincipal = 256

// CheckPrincipal says why a string is not the ARN of a principal that can call: an
// account root, an IAM user or role, or an STS session, of at most 256 bytes.
func CheckPrincipal(arn string) error {
	if len(arn) > maxPrincipal || !principalARN.MatchString(arn) {
		return fmt.Errorf("principal %q is not the ARN of an IAM user, role, root or session", arn)
	}
	return nil
}

// caller is what a principal's ARN tells.
type caller struct {
	arn     string
	account string
	// role is the name of the role whose session the caller is, or "". A session's
	// ARN does not tell the path of its role; names are unique without it.
	role string
	root bool
}

// newCaller takes an ARN apart; ok is false for what is not one of IAM or STS.
func newCaller(arn string) (c caller, ok bool) {
	rest := arn
	var segments [5]string
	for i := range segments {
		if segments[i], rest, ok = strings.Cut(rest, ":"); !ok {
			return caller{}, false
		}
	}
	service, account := segments[2], segments[4]
	if segments[0] != "arn" || account == "" || rest == "" {
		return caller{}, false
	}
	c = caller{arn: arn, account: account}
	switch service {
	case "iam":
		c.root = rest == "root"
	case "sts":
		c.role = roleOfSession(rest)
	default:
		return caller{}, false
	}
	return c, true
}

// roleOfSession returns "app" for "assumed-role/app/session", and "" for what is no
// session of a role.
func roleOfSession(resource string) string {
	name, ok := strings.CutPrefix(resource, "assumed-role/")
	if !ok {
		return ""
	}
	role, _, _ := strings.Cut(name, "/")
	return role
}

// principalKey names a caller, by ARN without an account, or the sessions of an
// account's role, by its name.
type principalKey struct{ account, name string }

func byARN(arn string) principalKey { return principalKey{name: arn} }

// sessionsOf returns the key of a role's sessions; ok is false for the ARN of
// anything but a role.
func sessionsOf(arn string) (key principalKey, ok bool) {
	head, path, ok := strings.Cut(arn, ":role/")
	if !ok {
		return principalKey{}, false
	}
	return principalKey{
		account: head[strings.LastIndexByte(head, ':')+1:],
		name:    path[strings.LastIndexByte(path, '/')+1:],
	}, true
}

// Reaches says whether what is given to the principal of an ARN is given to a
// caller: to itself, or to the role whose session it is.
func Reaches(arn, caller string) bool {
	if arn == caller {
		return arn != ""
	}
	c, ok := newCaller(caller)
	sessions, isRole := sessionsOf(arn)
	return ok && isRole && c.role != "" && sessions == principalKey{c.account, c.role}
}

// RoleOf is the ARN of the role whose session a caller is, without the role's
// path, which a session does not tell; of any other caller it is the caller's own.
func RoleOf(caller string) string {
	c, ok := newCaller(caller)
	if !ok || c.role == "" {
		return caller
	}
	partition, _, _ := strings.Cut(strings.TrimPrefix(caller, "arn:"), ":")
	return "arn:" + partition + ":iam::" + c.account + ":role/" + c.role
}

// principals is what a Principal or NotPrincipal element names.
type principals struct {
	everybody bool
	accounts  []string
	arns      []string
	sessions  []principalKey // of the roles among arns
}

// reach says how a caller is named.
type reach uint8

const (
	reachesNot     reach = iota
	reachesAccount       // as one of the account's
	reachesCaller        // itself, its role, or as everybody
)

func (p *principals) reach(c *caller) reach {
	switch {
	case p.everybody || p.names(c):
		return reachesCaller
	case slices.Contains(p.accounts, c.account):
		return reachesAccount
	default:
		return reachesNot
	}
}

// names says whether the caller is named itself, or by its role.
func (p *principals) names(c *caller) bool {
	return slices.Contains(p.arns, c.arn) ||
		(c.role != "" && slices.Contains(p.sessions, principalKey{c.account, c.role})) ||
		(c.root && slices.Contains(p.accounts, c.account))
}

// parsePrincipals parses "*" or an object of kinds of principals.
func parsePrincipals(n node) (*principals, error) {
	p := new(principals)
	if n.kind == text && n.text == "*" {
		p.everybody = true
		return p, nil
	}
	if n.kind != object || len(n.items) == 0 {
		return nil, malformed(n.where, `must be "*" or an object of principals`).as(invalidPrincipals)
	}
	for _, group := range n.items {
		if err := p.addGroup(group); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// addGroup adds the principals of one kind. Those of other kinds than AWS cannot
// call here.
func (p *principals) addGroup(n node) error {
	all, err := n.strings()
	if err != nil {
		return err
	}
	switch n.name {
	case "AWS":
		for _, item := range all {
			if err := p.add(item); err != nil {
				return err
			}
		}
		return nil
	case "Service", "Federated", "CanonicalUser":
		return nil
	default:
		return malformed(n.where, "is not a kind of principal").as(invalidPrincipals)
	}
}

func (p *principals) add(n node) error {
	switch {
	case n.text == "*":
		p.everybody = true
	case accountID.MatchString(n.text):
		p.accounts = append(p.accounts, n.text)
	case CheckPrincipal(n.text) != nil:
		return malformed(n.where, "%q is neither \"*\", an account nor the ARN of a principal", n.text).as(invalidPrincipals)
	default:
		p.addARN(n.text)
	}
	return nil
}

func (p *principals) addARN(arn string) {
	if c, ok := newCaller(arn); ok && c.root {
		p.accounts = append(p.accounts, c.account)
		return
	}
	p.arns = append(p.arns, arn)
	if sessions, ok := sessionsOf(arn); ok {
		p.sessions = append(p.sessions, sessions)
	}
}
