package policy

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// actionPattern is a service and the name of an action, each with wildcards.
var actionPattern = regexp.MustCompile(`^[A-Za-z0-9*?-]+:[A-Za-z0-9*?_-]+$`)

// maxAction is the longest action, in bytes. The longest of AWS KMS has 40.
const maxAction = 128

// actionName is an action, which is compared without regard to case.
type actionName struct {
	text  string // as the request has it
	lower [maxAction]byte
}

// set is false for what no action is called.
func (a *actionName) set(action string) bool {
	if action == "" || len(action) > maxAction {
		return false
	}
	for i := range len(action) {
		if action[i] >= utf8.RuneSelf {
			return false
		}
		a.lower[i] = lower(action[i])
	}
	a.text = action
	return true
}

// actions is what an Action or NotAction element names.
type actions struct {
	exact    map[string]struct{} // in lower case
	patterns []pattern
}

func (a *actions) match(q *question) bool {
	if _, ok := a.exact[string(q.action.lower[:len(q.action.text)])]; ok {
		return true
	}
	for i := range a.patterns {
		if a.patterns[i].matches(q.action.text, nil) == yes {
			return true
		}
	}
	return false
}

func parseActions(n node) (actions, error) {
	all, err := n.strings()
	if err != nil {
		return actions{}, err
	}
	a := actions{exact: make(map[string]struct{})}
	for _, item := range all {
		if err := a.add(item); err != nil {
			return actions{}, err
		}
	}
	return a, nil
}

func (a *actions) add(n node) error {
	if n.text != "*" && (len(n.text) > maxAction || !actionPattern.MatchString(n.text)) {
		return malformed(n.where, `%q is not an action, such as "kms:Encrypt", "kms:*" or "*"`, n.text)
	}
	if !strings.ContainsAny(n.text, "*?") {
		a.exact[strings.ToLower(n.text)] = struct{}{}
		return nil
	}
	p, err := newPattern(n, syntax{wildcards: true})
	if err != nil {
		return err
	}
	p.fold = true
	a.patterns = append(a.patterns, p)
	return nil
}
