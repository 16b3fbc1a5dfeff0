// Package filter is conditions on the records of the audit trails, in CEL, the Common
// Expression Language: over `event`, an API event, or `entry`, an HSM entry, as a map that is
// made of the record's JSON. Numbers are int where they are whole, else double.
//
// A condition that cannot be decided for a record, because it compares a member that
// the record does not have, say, does not match it. The time that one takes on one record
// is bounded.
package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/strongroom-kms/strongroom/audit/index"
)

// Limits of a condition: its text in characters, and what one evaluation may cost, in
// CEL's units, which are about an operation each. It is some milliseconds.
const (
	MaxLength = 4096
	maxCost   = 100_000
	// maxDepth bounds how deep a condition is nested: the time that checking one takes
	// grows with more than the square of it.
	maxDepth = 32
)

// ErrCost says that a condition takes too long.
var ErrCost = errors.New("the condition takes too long on a record")

// Filter is a condition. Its methods may be called from many goroutines.
type Filter struct {
	variable string
	program  cel.Program
	terms    []index.Term
}

// Compile compiles a condition on the records of a kind. Its error says where in the text
// it is wrong.
func Compile(kind index.Kind, text string) (*Filter, error) {
	variable, err := variableOf(kind)
	if err != nil {
		return nil, err
	}
	env, err := cel.NewEnv(cel.Variable(variable, cel.MapType(cel.StringType, cel.DynType)), cel.ParserExpressionSizeLimit(MaxLength), cel.ParserRecursionLimit(maxDepth))
	if err != nil {
		return nil, fmt.Errorf("preparing CEL: %w", err)
	}
	checked, issues := env.Compile(text)
	if err := firstIssue(text, issues); err != nil {
		return nil, err
	}
	if t := checked.OutputType(); !t.IsExactType(types.BoolType) && !t.IsExactType(types.DynType) {
		return nil, fmt.Errorf("the condition is of type %s: want one that is true or false", t)
	}
	if err := checkPatterns(checked.NativeRep().Expr()); err != nil {
		return nil, err
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("the condition cannot be evaluated: %w", err)
	}
	return &Filter{variable: variable, program: program, terms: termsOf(kind, variable, checked.NativeRep().Expr())}, nil
}

func variableOf(kind index.Kind) (string, error) {
	switch kind {
	case index.Event:
		return "event", nil
	case index.Entry:
		return "entry", nil
	}
	return "", fmt.Errorf("no conditions on records of kind %d", kind)
}

// firstIssue returns what is wrong first, and where.
func firstIssue(text string, issues *cel.Issues) error {
	if issues.Err() == nil {
		return nil
	}
	list := issues.Errors()
	if len(list) == 0 {
		return fmt.Errorf("the condition is wrong: %w", issues.Err())
	}
	line, column := list[0].Location.Line(), max(list[0].Location.Column(), 0)
	return fmt.Errorf("line %d, column %d%s: %s", line, column+1, near(text, line, column), list[0].Message)
}

// near quotes the text from a place on, or says that it ends there.
func near(text string, line, column int) string {
	const quoted = 20
	lines := bytes.Split([]byte(text), []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	rest := []rune(string(lines[line-1]))
	if column >= len(rest) {
		return " (its end)"
	}
	return fmt.Sprintf(" (%q)", string(rest[column:min(column+quoted, len(rest))]))
}

// Terms are terms that every record has that matches: an index of them narrows
// the search. There may be none.
func (f *Filter) Terms() []index.Term { return f.terms }

// Match says whether a record, a JSON object, matches. It fails if the record is no
// JSON object, and with ErrCost.
func (f *Filter) Match(record []byte) (bool, error) {
	value, err := decode(record)
	if err != nil {
		return false, err
	}
	result, _, err := f.program.Eval(map[string]any{f.variable: value})
	if stopped := (interpreter.EvalCancelledError{}); errors.As(err, &stopped) {
		return false, ErrCost
	}
	return err == nil && result == types.True, nil
}

// decode returns a JSON object as Go values, with its numbers as CEL is to see them.
func decode(record []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("reading a record: %w", err)
	}
	return withNumbers(object).(map[string]any), nil
}

func withNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = withNumbers(member)
		}
	case []any:
		for i, element := range v {
			v[i] = withNumbers(element)
		}
	case json.Number:
		return number(v)
	}
	return value
}

// number returns an int64 or, if it is too large, a uint64, or a float64.
func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	var u uint64
	if err := json.Unmarshal([]byte(n), &u); err == nil {
		return u
	}
	f, err := n.Float64()
	if err != nil {
		return math.Inf(1)
	}
	if i := int64(f); float64(i) == f && math.Abs(f) < 1<<53 {
		return i
	}
	return f
}
