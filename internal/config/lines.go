package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lines maps a field's path, such as "principals[0].arn", to its line.
type lines map[string]int

func linesOf(root *yaml.Node) lines {
	l := lines{}
	walk(root, func(path string, line int, _ *yaml.Node) { l[path] = line })
	return l
}

// walk calls f for every field of a document and every item of its lists, with
// its path, the line that it begins on, and its value.
func walk(root *yaml.Node, f func(path string, line int, value *yaml.Node)) {
	for _, n := range root.Content {
		walkValue("", n, f)
	}
}

func walkValue(path string, n *yaml.Node, f func(string, int, *yaml.Node)) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			child := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
			f(child, n.Content[i].Line, n.Content[i+1])
			walkValue(child, n.Content[i+1], f)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			child := fmt.Sprintf("%s[%d]", path, i)
			f(child, item.Line, item)
			walkValue(child, item, f)
		}
	}
}

// given reports whether the file has the field.
func (l lines) given(path string) bool {
	_, ok := l[path]
	return ok
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
