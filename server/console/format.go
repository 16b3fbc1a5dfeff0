package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// functions are those that templates have beside the built-in ones.
func functions() template.FuncMap {
	return template.FuncMap{
		"time": utc, "stamp": stamp, "wire": wire, "user": shortPrincipal, "json": indented, "bytes": byteSize,
		"count": grouped[uint64], "whole": grouped[int64], "value": figure, "lower": strings.ToLower, "link": address, "keypage": keyPageOf, "until": until, "code": codeIn, "resource": shortResource, "first": first,
		"words": words,
	}
}

// utc is a time as people read it, in UTC; "never" if there is none.
func utc(t *timestamppb.Timestamp) string {
	if t == nil {
		return "never"
	}
	return formatTime(t.AsTime())
}

// stamp is a time as machines read it.
func stamp(t *timestamppb.Timestamp) string { return t.AsTime().UTC().Format(time.RFC3339Nano) }

// until is how far off a time is, in the largest unit that leaves more than one.
func until(t *timestamppb.Timestamp) string {
	left := time.Until(t.AsTime())
	switch {
	case left <= 0:
		return "now"
	case left > 48*time.Hour:
		return fmt.Sprintf("in %d days", int(math.Round(left.Hours()/24)))
	case left > 2*time.Hour:
		return fmt.Sprintf("in %d hours", int(math.Round(left.Hours())))
	}
	return fmt.Sprintf("in %d minutes", int(left.Minutes())+1)
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// shownTime is a time of RFC 3339 as pages have it, with the parts of a second that it has;
// what is none stays as it is.
func shownTime(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return t.UTC().Format("2006-01-02 15:04:05.999999 UTC")
}

// wire is the value of an enum as AWS spells it.
func wire(e protoreflect.Enum) string { return describe.WireName(e) }

// words are those of a value such as PENDING_DELETION, for people.
func words(value string) string { return strings.ToLower(strings.ReplaceAll(value, "_", " ")) }

// shortPrincipal is what an ARN of IAM names.
func shortPrincipal(arn string) string {
	if i := strings.LastIndexByte(arn, ':'); i >= 0 && strings.HasPrefix(arn, "arn:") {
		return arn[i+1:]
	}
	return arn
}

// keyPageOf is the address of the page of a key, by its ARN; empty if it is none of a key.
func keyPageOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[2] != "kms" {
		return ""
	}
	id, ok := strings.CutPrefix(parts[5], "key/")
	if !ok {
		return ""
	}
	return address("/keys/"+url.PathEscape(id), "region", parts[3])
}

// codeIn is a text in which what stands between backticks is a command or a name.
func codeIn(text string) template.HTML {
	var b strings.Builder
	for i, piece := range strings.Split(text, "`") {
		escaped := template.HTMLEscapeString(piece)
		if i%2 == 1 {
			escaped = "<code>" + escaped + "</code>"
		}
		b.WriteString(escaped)
	}
	return template.HTML(b.String()) //nolint:gosec // each piece is escaped
}

// first is the beginning of an id, which is enough to tell it from others nearby.
func first(id string) string {
	const enough = 8
	if len(id) <= enough+1 {
		return id
	}
	return id[:enough] + "…"
}

// shortResource is what the ARN of a resource ends with; of a key's id only the beginning.
func shortResource(arn string) string {
	name := shortPrincipal(arn)
	if id, ok := strings.CutPrefix(name, "key/"); ok {
		return "key/" + first(id)
	}
	return name
}

// indented is JSON with a line for each member; what is not JSON stays as it is.
func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

// byteSize is a number of bytes in the largest unit that leaves more than one.
func byteSize(n uint64) string {
	units, size := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}, float64(n)
	i := 0
	for ; size >= 1024 && i < len(units)-1; i++ {
		size /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", size, units[i])
}

// grouped is a whole number with its thousands apart.
func grouped[N uint64 | int64](n N) string {
	digits, sign := strings.CutPrefix(fmt.Sprint(n), "-")
	var groups []string
	for len(digits) > 3 {
		groups = append(groups, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	groups = append(groups, digits)
	slices.Reverse(groups)
	text := strings.Join(groups, ",")
	if sign {
		return "-" + text
	}
	return text
}

// figure is the value of a metric in its unit, as static/metrics.js writes it too.
func figure(value float64, unit string) string {
	switch unit {
	case "Bytes":
		return byteSize(uint64(max(value, 0)))
	case "Seconds":
		return seconds(value)
	case "Percent":
		return strconv.FormatFloat(value, 'g', 3, 64) + " %"
	case "Milliseconds":
		return strconv.FormatFloat(value, 'g', 3, 64) + " ms"
	}
	if size := math.Abs(value); size < 1<<53 && (size >= 1000 || value == math.Trunc(value)) {
		return grouped(int64(math.Round(value)))
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}

func seconds(value float64) string {
	switch {
	case value == 0:
		return "0 s"
	case value < 1e-3:
		return strconv.FormatFloat(value*1e6, 'f', 0, 64) + " µs"
	case value < 1:
		return strconv.FormatFloat(value*1e3, 'g', 3, 64) + " ms"
	}
	return strconv.FormatFloat(value, 'g', 3, 64) + " s"
}

// address is a path with parameters, given as names and values; those without a value are
// left out.
func address(path string, parameters ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			q.Set(parameters[i], parameters[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
