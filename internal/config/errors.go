package config

import (
	"fmt"
	"strings"
)

// FieldError is one fault of a configuration file.
type FieldError struct {
	// File is the file's path as it was given.
	File string
	// Line is the line of the fault, from 1; 0 when it has none.
	Line int
	// Field is the path of the field, such as "principals[0].arn"; empty when
	// the fault is not one field's.
	Field string
	// Reason says what is wrong with it.
	Reason string
}

// Error gives "file:line: field: reason".
func (e FieldError) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

// Errors is all that is wrong with a configuration file; it is not empty.
type Errors []FieldError

// Error gives one line for each fault.
func (e Errors) Error() string {
	text := make([]string, len(e))
	for i, f := range e {
		text[i] = f.Error()
	}
	return strings.Join(text, "\n")
}
