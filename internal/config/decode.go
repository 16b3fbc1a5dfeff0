package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	yamlLine     = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`^field (.+) not found in type .*$`)
	wrongType    = regexp.MustCompile("^cannot unmarshal (!!\\w+)(?: `(.*)`)? into (.*)$")
)

// decodeErrors turns the errors of the YAML decoder, which speak of Go types,
// into ours.
func decodeErrors(path string, root *yaml.Node, err error) error {
	texts := []string{err.Error()}
	var typeError *yaml.TypeError
	if errors.As(err, &typeError) {
		texts = typeError.Errors
	}
	var all Errors
	for _, text := range texts {
		e := FieldError{File: path, Reason: strings.TrimPrefix(text, "yaml: ")}
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			e.Line, _ = strconv.Atoi(m[1])
			e.Reason = m[2]
		}
		all = append(all, reword(e, root))
	}
	return all
}

// reword says what the decoder found wrong in the words of the file.
func reword(e FieldError, root *yaml.Node) FieldError {
	if m := unknownField.FindStringSubmatch(e.Reason); m != nil {
		e.Reason = fmt.Sprintf("unknown key %q", m[1])
	}
	if m := wrongType.FindStringSubmatch(e.Reason); m != nil {
		var value string
		e.Field, value = fieldAt(root, e.Line, m[1], m[2])
		e.Reason = mismatch(m[1], value, m[3])
	}
	return e
}

// fieldAt finds the field whose value the decoder complains of by its line, its
// tag and the start of its text, which is cut with dots when it is long.
func fieldAt(root *yaml.Node, line int, tag, start string) (path, value string) {
	start = strings.TrimSuffix(start, "...")
	walk(root, func(p string, _ int, n *yaml.Node) {
		if path == "" && n.Line == line && n.ShortTag() == tag && strings.HasPrefix(n.Value, start) {
			path, value = p, n.Value
		}
	})
	return path, value
}

// mismatch says what a field of the Go type wants instead of the value.
func mismatch(tag, value, goType string) string {
	switch {
	case goType == "time.Duration" && tag == "!!int":
		return fmt.Sprintf("%s has no unit; write %ss for seconds", value, value)
	case goType == "time.Duration":
		return fmt.Sprintf("%q is not a duration such as 500ms, 10s or 2m", value)
	case goType == "int":
		return fmt.Sprintf("%q is not a whole number", value)
	case goType == "float64":
		return fmt.Sprintf("%q is not a number", value)
	case goType == "bool":
		return fmt.Sprintf("%q is neither true nor false", value)
	case strings.HasPrefix(goType, "[]"):
		return "wants a list"
	case goType == "string":
		return "wants a text"
	default:
		return "wants fields of its own, not a " + strings.TrimPrefix(tag, "!!")
	}
}
