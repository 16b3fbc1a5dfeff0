package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxKeyPolicy is AWS's quota for the length of a key policy, in characters:
// longer ones are refused with LimitExceededException, by who calls
// [ParseKeyPolicy].
const MaxKeyPolicy = 32768

// MaxDocument is the length, in characters, above which no document is parsed:
// that of the longest policy that the API's model accepts.
const MaxDocument = 131072

// maxDepth is how deep objects and lists may stand in each other; the language
// needs 6.
const maxDepth = 8

// kind is the type of a JSON value. Its text is for messages.
type kind string

const (
	object  kind = "an object"
	list    kind = "a list"
	text    kind = "a string"
	number  kind = "a number"
	boolean kind = "a boolean"
	null    kind = "null"
)

// node is a JSON value and its place in the document.
type node struct {
	where string
	kind  kind
	// text is a string's value, a number as it is written, "true" or "false".
	text string
	// name is that of a member of an object.
	name string
	// items are a list's elements or an object's members.
	items []node
}

// parseJSON parses a document and refuses what encoding/json lets pass: a name that
// stands twice in one object, and text that is not Unicode.
func parseJSON(document string) (node, error) {
	if n := utf8.RuneCountInString(document); n > MaxDocument {
		return node{}, malformed("policy", "has %d characters, more than %d", n, MaxDocument)
	}
	if !utf8.ValidString(document) {
		return node{}, malformed("policy", "is not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(document), &whole); err != nil {
		return node{}, notJSON(document, err)
	}
	p := &jsonParser{decoder: json.NewDecoder(strings.NewReader(document))}
	p.decoder.UseNumber()
	return p.value("policy", 0)
}

// notJSON tells the line and column of a syntax error, each from 1.
func notJSON(document string, err error) error {
	before := document
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset >= 1 && syntax.Offset <= int64(len(document)) {
		before = document[:syntax.Offset-1]
	}
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return malformed(fmt.Sprintf("line %d, column %d", line, column), "not JSON: %v", err)
}

type jsonParser struct{ decoder *json.Decoder }

func (p *jsonParser) value(where string, depth int) (node, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return node{}, malformed(where, "not JSON: %v", err)
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == maxDepth {
			return node{}, malformed(where, "stands in more than %d objects and lists", maxDepth)
		}
		if t == '{' {
			return p.object(where, depth+1)
		}
		return p.list(where, depth+1)
	case string:
		return textNode(where, t)
	case json.Number:
		return node{where: where, kind: number, text: t.String()}, nil
	case bool:
		return node{where: where, kind: boolean, text: fmt.Sprint(t)}, nil
	default:
		return node{where: where, kind: null}, nil
	}
}

// textNode refuses U+FFFD, which is what encoding/json makes of half a surrogate
// pair: two different strings would be the same.
func textNode(where, s string) (node, error) {
	if strings.ContainsRune(s, utf8.RuneError) {
		return node{}, malformed(where, "has a character that is not Unicode")
	}
	return node{where: where, kind: text, text: s}, nil
}

func (p *jsonParser) object(where string, depth int) (node, error) {
	n := node{where: where, kind: object}
	seen := make(map[string]bool)
	for p.decoder.More() {
		key, err := p.value(where, depth)
		if err != nil {
			return node{}, err
		}
		if seen[key.text] {
			return node{}, malformed(where, "%q stands there twice", key.text)
		}
		seen[key.text] = true
		member, err := p.value(below(where, key.text), depth)
		if err != nil {
			return node{}, err
		}
		member.name = key.text
		n.items = append(n.items, member)
	}
	return n, p.end(where)
}

func (p *jsonParser) list(where string, depth int) (node, error) {
	n := node{where: where, kind: list}
	for p.decoder.More() {
		item, err := p.value(fmt.Sprintf("%s[%d]", where, len(n.items)), depth)
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
	}
	return n, p.end(where)
}

// end reads the bracket that closes an object or a list.
func (p *jsonParser) end(where string) error {
	if _, err := p.decoder.Token(); err != nil {
		return malformed(where, "not JSON: %v", err)
	}
	return nil
}

// below names a member of an object; those of the document itself go by their name
// alone.
func below(where, name string) string {
	if where == "policy" {
		return name
	}
	return where + "." + name
}
