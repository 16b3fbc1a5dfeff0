package index

import (
	"bytes"
	"encoding/json"
)

// members shows each member of the JSON object b to take: its name, and its value
// as it stands there. It allocates nothing and checks nothing but what it needs to
// find the way: at what is no JSON it stops.
func members(b []byte, take func(name, value []byte)) {
	for b = enter(b, '{'); len(b) > 0 && b[0] == '"'; {
		n := stringEnd(b)
		name, rest := b[1:max(n-1, 1)], skipSpace(b[n:])
		if len(rest) == 0 || rest[0] != ':' {
			return
		}
		rest = skipSpace(rest[1:])
		n = valueEnd(rest)
		take(name, rest[:n])
		b = nextElement(rest[n:])
	}
}

// elements shows each element of the JSON array b to take.
func elements(b []byte, take func(value []byte)) {
	for b = enter(b, '['); len(b) > 0 && b[0] != ']'; {
		n := valueEnd(b)
		if n == 0 {
			return
		}
		take(b[:n])
		b = nextElement(b[n:])
	}
}

// enter returns what follows the opening bracket of b, or nothing.
func enter(b []byte, bracket byte) []byte {
	b = skipSpace(b)
	if len(b) == 0 || b[0] != bracket {
		return nil
	}
	return skipSpace(b[1:])
}

// nextElement returns what follows the comma that b begins with, or nothing.
func nextElement(b []byte) []byte {
	b = skipSpace(b)
	if len(b) == 0 || b[0] != ',' {
		return nil
	}
	return skipSpace(b[1:])
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// valueEnd returns the length of the value that b begins with.
func valueEnd(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case b[0] == '"':
		return stringEnd(b)
	case b[0] == '{' || b[0] == '[':
		return nestedEnd(b)
	}
	if n := bytes.IndexAny(b, ",]} \t\r\n"); n >= 0 {
		return n
	}
	return len(b)
}

// nestedEnd returns the length of the object or array that b begins with.
func nestedEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

// stringEnd returns the length of the string that b begins with, quotes included.
func stringEnd(b []byte) int {
	for end := 1; ; end++ {
		n := bytes.IndexByte(b[end:], '"')
		if n < 0 {
			return len(b)
		}
		end += n
		if !escaped(b[:end]) {
			return end + 1
		}
	}
}

// escaped says whether b ends with an odd number of backslashes.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// text returns the characters of a JSON string, or nil if it is none.
func text(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return nil
	}
	return []byte(s)
}
