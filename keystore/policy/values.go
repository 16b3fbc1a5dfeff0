package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// boolList has the values of the operator Bool.
type boolList []bool

func (l boolList) match(value string, _ Context) truth {
	b, ok := parseBool(value)
	if !ok {
		return unknown
	}
	return truthOf(slices.Contains(l, b))
}

func compileBools(values []node, _ bool) (matcher, error) {
	l, err := parseBools(values)
	return boolList(l), err
}

func parseBools(values []node) ([]bool, error) {
	var l []bool
	for _, n := range values {
		b, ok := parseBool(n.text)
		if !ok {
			return nil, malformed(n.where, "%q is neither true nor false", n.text)
		}
		l = append(l, b)
	}
	return l, nil
}

func parseBool(s string) (value, ok bool) {
	isTrue := strings.EqualFold(s, "true")
	return isTrue, isTrue || strings.EqualFold(s, "false")
}

// numberList has the values of a numeric operator.
type numberList struct {
	values []float64
	holds  ordering
}

func (l *numberList) match(value string, _ Context) truth {
	v, ok := parseNumber(value)
	if !ok {
		return unknown
	}
	for _, w := range l.values {
		if l.holds(cmp.Compare(v, w)) {
			return yes
		}
	}
	return no
}

func numbers(holds ordering) compiler {
	return func(values []node, _ bool) (matcher, error) {
		l := &numberList{holds: holds}
		for _, n := range values {
			v, ok := parseNumber(n.text)
			if !ok {
				return nil, malformed(n.where, "%q is not a decimal number of at most %d digits", n.text, maxDigits)
			}
			l.values = append(l.values, v)
		}
		return l, nil
	}
}

// maxDigits is how many digits a number may have so that no two of them are the same
// float64.
const maxDigits = 15

// parseNumber parses a decimal number such as "-7" or "2.50".
func parseNumber(s string) (float64, bool) {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c != '.' && (c != '-' || i != 0):
			return 0, false
		}
	}
	if digits > maxDigits {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// dateList has the values of a date operator.
type dateList struct {
	values []time.Time
	holds  ordering
}

func (l *dateList) match(value string, _ Context) truth {
	v, ok := parseDate(value)
	if !ok {
		return unknown
	}
	for _, w := range l.values {
		if l.holds(v.Compare(w)) {
			return yes
		}
	}
	return no
}

func dates(holds ordering) compiler {
	return func(values []node, _ bool) (matcher, error) {
		l := &dateList{holds: holds}
		for _, n := range values {
			v, ok := parseDate(n.text)
			if !ok {
				return nil, malformed(n.where, `%q is not a date such as "2026-01-31T12:00:00Z", nor seconds since 1970`, n.text)
			}
			l.values = append(l.values, v)
		}
		return l, nil
	}
}

// parseDate parses ISO 8601, to the day, minute, second or parts of one, and seconds
// since 1970, which have five digits or more: four could be meant as a year.
func parseDate(s string) (time.Time, bool) {
	if !strings.Contains(s, "-") {
		seconds, err := strconv.ParseUint(s, 10, 40)
		return time.Unix(int64(seconds), 0), err == nil && len(s) > len("2026") //nolint:gosec // 40 bits fit
	}
	layout := time.RFC3339
	switch {
	case len(s) == len(time.DateOnly):
		layout = time.DateOnly
	case strings.Count(s[strings.IndexByte(s, 'T')+1:], ":") == minuteColons(s):
		layout = "2006-01-02T15:04Z07:00"
	}
	t, err := time.Parse(layout, s)
	return t, err == nil
}

// minuteColons is how many colons a time to the minute has: one, and one more in
// an offset from UTC.
func minuteColons(s string) int {
	if strings.HasSuffix(s, "Z") {
		return 1
	}
	return 2
}

// prefixList has the values of an IP address operator.
type prefixList []netip.Prefix

func (l prefixList) match(value string, _ Context) truth {
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" {
		return unknown
	}
	a = a.Unmap()
	return truthOf(slices.ContainsFunc(l, func(p netip.Prefix) bool { return p.Contains(a) }))
}

func compileAddresses(values []node, _ bool) (matcher, error) {
	var l prefixList
	for _, n := range values {
		p, ok := parsePrefix(n.text)
		if !ok {
			return nil, malformed(n.where, `%q is not an IP address, nor a range such as "192.0.2.0/24"`, n.text)
		}
		l = append(l, p)
	}
	return l, nil
}

// parsePrefix parses an address, which is a range of one, or a CIDR range. An IPv4
// address in the form of an IPv6 one is the IPv4 address; a range of such is refused.
func parsePrefix(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), err == nil && a.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil && !p.Addr().Is4In6()
}
