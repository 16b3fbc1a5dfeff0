package policy_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// This file decides requests a second time, straight from the JSON of the policies,
// by the rules of docs/policies.md and without regard to speed. It shares no code
// with the package.

// answer is "yes", "no", or "maybe" for what a request does not tell.
type answer string

func naiveNot(a answer) answer {
	return map[answer]answer{"yes": "no", "no": "yes", "maybe": "maybe"}[a]
}

func naiveAll(all ...answer) answer {
	switch {
	case slices.Contains(all, "no"):
		return "no"
	case slices.Contains(all, "maybe"):
		return "maybe"
	default:
		return "yes"
	}
}

func naiveAny(all ...answer) answer {
	for i := range all {
		all[i] = naiveNot(all[i])
	}
	return naiveNot(naiveAll(all...))
}

func naiveIf(b bool) answer {
	if b {
		return "yes"
	}
	return "no"
}

// naiveDecide returns how a request is decided: "deny resource", "deny identity",
// "allow", "none resource" or "none identity".
func naiveDecide(r policy.Request, keyPolicy, account string, identity []string, grants []policy.Grant) string {
	direct, delegated := false, false
	if keyPolicy != "" {
		for _, s := range naiveStatements(keyPolicy) {
			who := s.names(r.Principal)
			about := s.about(r)
			switch {
			case who == "nobody":
			case s.fields["Effect"] == "Deny" && about != "no":
				return "deny resource"
			case s.fields["Effect"] == "Deny" || about != "yes":
			case who == "caller" && strings.Split(r.Principal, ":")[4] == account:
				direct = true
			default:
				delegated = true
			}
		}
	}
	byIdentity := false
	for _, document := range identity {
		for _, s := range naiveStatements(document) {
			about := s.about(r)
			if s.fields["Effect"] == "Deny" && about != "no" {
				return "deny identity"
			}
			byIdentity = byIdentity || s.fields["Effect"] == "Allow" && about == "yes"
		}
	}
	switch {
	case keyPolicy == "" && byIdentity, direct, delegated && byIdentity, keyPolicy != "" && naiveGranted(r, grants):
		return "allow"
	case keyPolicy == "" || delegated:
		return "none identity"
	default:
		return "none resource"
	}
}

func naiveGranted(r policy.Request, grants []policy.Grant) bool {
	operation := strings.TrimPrefix(r.Action, "kms:")
	constrained := regexp.MustCompile(`^(Encrypt|Decrypt|GenerateDataKey.*|ReEncrypt.*)$`).MatchString(operation)
	for _, g := range grants {
		if !strings.HasPrefix(r.Action, "kms:") || !slices.Contains(g.Operations, operation) || !naiveIs(g.Grantee, r.Principal) {
			continue
		}
		meets := true
		for k, v := range g.Subset {
			got, ok := r.EncryptionContext[k]
			meets = meets && ok && got == v
		}
		if len(g.Equals) > 0 {
			meets = meets && fmt.Sprint(g.Equals) == fmt.Sprint(r.EncryptionContext)
		}
		if meets || !constrained {
			return true
		}
	}
	return false
}

type naiveStatement struct {
	fields    map[string]any
	variables bool
}

func naiveStatements(document string) []naiveStatement {
	var d struct{ Version, Statement any }
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(&d); err != nil {
		panic(err)
	}
	var all []naiveStatement
	for _, s := range naiveList(d.Statement) {
		all = append(all, naiveStatement{s.(map[string]any), d.Version == "2012-10-17"})
	}
	return all
}

func naiveList(v any) []any {
	if all, ok := v.([]any); ok {
		return all
	}
	return []any{v}
}

// naiveIs says whether a principal that is named is the caller or its role.
func naiveIs(named, caller string) bool {
	if named == caller {
		return true
	}
	role := regexp.MustCompile(`^arn:aws:iam::(\d+):role/(?:.*/)?([^/]+)$`).FindStringSubmatch(named)
	session := regexp.MustCompile(`^arn:aws:sts::(\d+):assumed-role/([^/]+)(?:/.*)?$`).FindStringSubmatch(caller)
	return role != nil && session != nil && role[1] == session[1] && role[2] == session[2]
}

// names says whether a statement is about the "caller", its "account", or "nobody".
func (s naiveStatement) names(caller string) string {
	element, not := s.fields["Principal"], false
	if n, ok := s.fields["NotPrincipal"]; ok {
		element, not = n, true
	}
	var named []any
	if element == "*" {
		named = []any{"*"}
	} else {
		named = naiveList(element.(map[string]any)["AWS"])
	}
	account := strings.Split(caller, ":")[4]
	who := "nobody"
	for _, n := range named {
		ofAccount := n == account || n == "arn:aws:iam::"+account+":root"
		switch n, _ := n.(string); {
		case n == "*", naiveIs(n, caller), ofAccount && strings.HasSuffix(caller, ":root"):
			who = "caller"
		case ofAccount && who == "nobody":
			who = "account"
		}
	}
	switch {
	case !not:
		return who
	case who == "caller":
		return "nobody"
	default:
		return "caller"
	}
}

func (s naiveStatement) about(r policy.Request) answer {
	result := naiveAll(
		s.element("Action", func(v string) answer {
			return naiveIf(naiveGlob(naiveTokens(strings.ToLower(v), "*?"), strings.ToLower(r.Action)))
		}),
		s.element("Resource", func(v string) answer { return s.matches(v, r.Resource, "like", r.Context) }))
	conditions, _ := s.fields["Condition"].(map[string]any)
	for operator, block := range conditions {
		for key, wanted := range block.(map[string]any) {
			result = naiveAll(result, s.condition(operator, strings.ToLower(key), naiveList(wanted), r.Context))
		}
	}
	return result
}

func (s naiveStatement) element(name string, match func(string) answer) answer {
	if all, ok := s.fields["Not"+name]; ok {
		return naiveNot(s.anyOf(all, match))
	}
	return s.anyOf(s.fields[name], match)
}

func (s naiveStatement) anyOf(all any, match func(string) answer) answer {
	var answers []answer
	for _, v := range naiveList(all) {
		answers = append(answers, match(v.(string)))
	}
	return naiveAny(answers...)
}

func (s naiveStatement) condition(operator, key string, wanted []any, c policy.Context) answer {
	got, present := c.Values(key)
	if operator == "Null" {
		var answers []answer
		for _, w := range wanted {
			answers = append(answers, naiveIf(strings.EqualFold(fmt.Sprint(w), "true") == !present))
		}
		return naiveAny(answers...)
	}
	operator, ifExists := strings.CutSuffix(operator, "IfExists")
	operator, forAny := strings.CutPrefix(operator, "ForAnyValue:")
	operator, forAll := strings.CutPrefix(operator, "ForAllValues:")
	positive := strings.Replace(operator, "Not", "", 1)
	negated := positive != operator
	if !present {
		return naiveIf(ifExists || forAll || negated && !forAny)
	}
	var answers []answer
	for _, v := range got {
		var each []answer
		for _, w := range wanted {
			each = append(each, s.compare(positive, fmt.Sprint(w), v, c))
		}
		one := naiveAny(each...)
		if negated {
			one = naiveNot(one)
		}
		answers = append(answers, one)
	}
	switch {
	case forAny:
		return naiveAny(answers...)
	case forAll || len(slices.Compact(slices.Clone(answers))) == 1:
		return naiveAll(answers...)
	default:
		return "maybe"
	}
}

// compare compares a value of a request with one that an operator wants.
func (s naiveStatement) compare(operator, wanted, got string, c policy.Context) answer {
	switch operator {
	case "StringEquals":
		return s.matches(wanted, got, "equals", c)
	case "StringEqualsIgnoreCase":
		return s.matches(wanted, got, "fold", c)
	case "StringLike":
		return s.matches(wanted, got, "like", c)
	case "ArnEquals", "ArnLike":
		return s.matches(wanted, got, "arn", c)
	case "Bool":
		switch strings.ToLower(got) {
		case "true", "false":
			return naiveIf(strings.EqualFold(wanted, got))
		}
		return "maybe"
	case "IpAddress":
		address, err := netip.ParseAddr(got)
		if err != nil {
			return "maybe"
		}
		if !strings.Contains(wanted, "/") {
			return naiveIf(address == netip.MustParseAddr(wanted))
		}
		return naiveIf(netip.MustParsePrefix(wanted).Contains(address))
	}
	if suffix, ok := strings.CutPrefix(operator, "Numeric"); ok {
		v, ok := new(big.Rat).SetString(got)
		w, _ := new(big.Rat).SetString(wanted)
		if !ok {
			return "maybe"
		}
		return naiveOrder(suffix, v.Cmp(w))
	}
	v, ok := naiveDate(got)
	w, _ := naiveDate(wanted)
	if !ok {
		return "maybe"
	}
	return naiveOrder(strings.TrimPrefix(operator, "Date"), v.Compare(w))
}

func naiveOrder(suffix string, order int) answer {
	matching := map[string][]int{
		"Equals": {0}, "LessThan": {-1}, "LessThanEquals": {-1, 0}, "GreaterThan": {1}, "GreaterThanEquals": {0, 1},
	}
	return naiveIf(slices.Contains(matching[suffix], order))
}

func naiveDate(s string) (time.Time, bool) {
	var seconds int64
	if regexp.MustCompile(`^\d{5,}$`).MatchString(s) {
		_, err := fmt.Sscan(s, &seconds)
		return time.Unix(seconds, 0), err == nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02", "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// naiveToken is a character of a pattern, or a wildcard.
type naiveToken struct {
	r    rune
	wild bool
}

func naiveTokens(s, wildcards string) []naiveToken {
	var tokens []naiveToken
	for _, r := range s {
		tokens = append(tokens, naiveToken{r, strings.ContainsRune(wildcards, r)})
	}
	return tokens
}

var naiveVariable = regexp.MustCompile(`\$\{([^}]*)\}`)

// matches compares with a pattern, whose variables it replaces first.
func (s naiveStatement) matches(pattern, got, how string, c policy.Context) answer {
	wildcards := "*?"
	if how == "equals" || how == "fold" {
		wildcards = ""
	}
	if pattern == "*" && how == "arn" {
		pattern = "*:*:*:*:*:*"
	}
	var tokens []naiveToken
	for s.variables {
		at := naiveVariable.FindStringSubmatchIndex(pattern)
		if at == nil {
			break
		}
		value, ok := naiveValue(pattern[at[2]:at[3]], c)
		if !ok {
			return "maybe"
		}
		tokens = append(tokens, naiveTokens(pattern[:at[0]], wildcards)...)
		tokens = append(tokens, naiveTokens(value, "")...)
		pattern = pattern[at[1]:]
	}
	tokens = append(tokens, naiveTokens(pattern, wildcards)...)
	switch how {
	case "arn":
		return naiveARN(tokens, got)
	case "fold":
		var b strings.Builder
		for _, t := range tokens {
			b.WriteRune(t.r)
		}
		return naiveIf(strings.EqualFold(b.String(), got))
	default:
		return naiveIf(naiveGlob(tokens, got))
	}
}

func naiveValue(name string, c policy.Context) (string, bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	key, fallback, hasFallback := strings.Cut(name, ",")
	values, ok := c.Values(strings.ToLower(key))
	switch {
	case ok && len(values) == 1:
		return values[0], true
	case !ok && hasFallback:
		return strings.Trim(fallback, " '"), true
	default:
		return "", false
	}
}

// naiveARN compares segment by segment.
func naiveARN(tokens []naiveToken, got string) answer {
	segments := strings.SplitN(got, ":", 6)
	if len(segments) < 6 || segments[0] != "arn" {
		return "maybe"
	}
	for i, segment := range segments {
		end := slices.Index(tokens, naiveToken{r: ':'})
		switch {
		case i == 5:
			return naiveIf(naiveGlob(tokens, segment))
		case end < 0 || !naiveGlob(tokens[:end], segment):
			return "no"
		}
		tokens = tokens[end+1:]
	}
	return "no"
}

// naiveGlob tries everything that a "*" could stand for.
func naiveGlob(tokens []naiveToken, s string) bool {
	rest := []rune(s)
	if len(tokens) == 0 {
		return len(rest) == 0
	}
	switch first := tokens[0]; {
	case first.wild && first.r == '*':
		for i := range len(rest) + 1 {
			if naiveGlob(tokens[1:], string(rest[i:])) {
				return true
			}
		}
		return false
	case len(rest) == 0:
		return false
	default:
		return (first.wild || first.r == rest[0]) && naiveGlob(tokens[1:], string(rest[1:]))
	}
}
