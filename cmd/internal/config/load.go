package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileSize is the limit for a configuration file in bytes. It keeps a wrong
// path from filling the memory.
const maxFileSize = 4 << 20

// Load reads and validates a configuration file. The error, if it is about
// what the file says, is an Errors.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(text) > maxFileSize {
		return nil, fmt.Errorf("reading the configuration: %s is larger than %d bytes", path, maxFileSize)
	}
	return parse(path, text)
}

func parse(path string, text []byte) (*Config, error) {
	c := Default()
	c.file = path
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	switch err := d.Decode(c); {
	case errors.Is(err, io.EOF):
		return nil, Errors{{File: path, Reason: "the file is empty"}}
	case err != nil:
		return nil, decodeErrors(path, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, Errors{{File: path, Reason: "the file has more than one YAML document"}}
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, decodeErrors(path, err)
	}
	c.lines = linesOf(&root)
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

var (
	yamlLine     = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`^field (.+) not found in type .*$`)
)

// decodeErrors turns the errors of the YAML decoder, which speak of Go types,
// into ours.
func decodeErrors(path string, err error) error {
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
		if m := unknownField.FindStringSubmatch(e.Reason); m != nil {
			e.Reason = fmt.Sprintf("unknown key %q", m[1])
		}
		all = append(all, e)
	}
	return all
}

// lines maps a field's path, such as "principals[0].arn", to its line.
type lines map[string]int

func linesOf(root *yaml.Node) lines {
	l := lines{}
	for _, n := range root.Content {
		l.add("", n)
	}
	return l
}

func (l lines) add(path string, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			child := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
			l[child] = n.Content[i].Line
			l.add(child, n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			child := fmt.Sprintf("%s[%d]", path, i)
			l[child] = item.Line
			l.add(child, item)
		}
	}
}

// of returns the line of the field, or, if it is absent, of the innermost
// structure that it is missing in; 0 if that is the whole file.
func (l lines) of(path string) int {
	for path != "" {
		if n, ok := l[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}
