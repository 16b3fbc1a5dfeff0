package policy

import "strings"

// resources is what a Resource or NotResource element names.
type resources []pattern

func (r resources) match(resource string, c Context) truth {
	t := no
	for i := range r {
		t = max(t, r[i].matches(resource, c))
	}
	return t
}

// parseResources parses "*" and patterns of ARNs. A "*" in one stands for any
// characters, colons too.
func parseResources(n node, variables bool) (resources, error) {
	all, err := n.strings()
	if err != nil {
		return nil, err
	}
	var r resources
	for _, item := range all {
		if item.text != "*" && !strings.HasPrefix(item.text, "arn:") {
			return nil, malformed(item.where, `%q must be an ARN or "*"`, item.text)
		}
		p, err := newPattern(item, syntax{wildcards: true, variables: variables})
		if err != nil {
			return nil, err
		}
		r = append(r, p)
	}
	return r, nil
}
