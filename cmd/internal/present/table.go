// Package present prints answers: as tables for people and as JSON for
// programs.
package present

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// Table prints rows under a heading, in columns. All rows have as many cells
// as the heading.
func Table(w io.Writer, heading []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range append([][]string{heading}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = Printable(cell)
		}
		if _, err := fmt.Fprintln(t, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// Field is one line of a description.
type Field struct{ Name, Value string }

// Fields prints names and values in two columns, leaving out empty values.
func Fields(w io.Writer, fields []Field) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		if _, err := fmt.Fprintf(t, "%s\t%s\n", f.Name, Printable(f.Value)); err != nil {
			return err
		}
	}
	return t.Flush()
}

// Printable replaces what could move a terminal's cursor, or look like another
// line or column, by "?". Descriptions and user agents are other people's text.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// Time prints a time to the second, in UTC; nothing for an absent one.
func Time(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format("2006-01-02 15:04:05Z")
}

// Enum prints an enum's value as AWS spells it, and nothing for the
// unspecified value.
func Enum(e protoreflect.Enum) string {
	value := e.Descriptor().Values().ByNumber(e.Number())
	if value == nil {
		return fmt.Sprint(e.Number())
	}
	if e.Number() == 0 {
		return ""
	}
	rule, _ := proto.GetExtension(value.Options(), annotationsv1.E_Value).(*annotationsv1.EnumValueRule)
	if name := rule.GetWireName(); name != "" {
		return name
	}
	zero := string(e.Descriptor().Values().ByNumber(0).Name())
	return strings.TrimPrefix(string(value.Name()), strings.TrimSuffix(zero, "UNSPECIFIED"))
}
