package filter

import (
	"fmt"
	"regexp/syntax"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// maxPattern bounds what the regular expressions of a condition may come to together, in
// instructions of their programs: matching takes as many steps for each byte of a text, and
// CEL counts the cost of a match only when it is over.
const maxPattern = 200

// checkPatterns wants the regular expressions of a condition to be constants, and small.
func checkPatterns(e ast.Expr) error {
	var failed error
	left := maxPattern
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if failed != nil || e.Kind() != ast.CallKind || e.AsCall().FunctionName() != overloads.Matches {
			return
		}
		args := e.AsCall().Args()
		var size int
		size, failed = patternSize(args[len(args)-1])
		if left -= size; failed == nil && left < 0 {
			failed = fmt.Errorf("the regular expressions of the condition are too large: write repetitions such as {0,1000} smaller")
		}
	}))
	return failed
}

// patternSize is how many instructions the program of a regular expression has.
func patternSize(pattern ast.Expr) (int, error) {
	if pattern.Kind() != ast.LiteralKind {
		return 0, fmt.Errorf("matches wants its regular expression as a constant text")
	}
	text, ok := pattern.AsLiteral().(types.String)
	if !ok {
		return 0, fmt.Errorf("matches wants a text")
	}
	parsed, err := syntax.Parse(string(text), syntax.Perl)
	if err != nil {
		return 0, fmt.Errorf("the regular expression %q: %w", string(text), err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, fmt.Errorf("the regular expression %q: %w", string(text), err)
	}
	return len(program.Inst), nil
}
