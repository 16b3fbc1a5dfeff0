package filter

import (
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/strongroom-kms/strongroom/audit/index"
)

// termsOf returns terms that follow from a condition: from its equalities with a
// constant, as far as they are joined by &&.
func termsOf(kind index.Kind, variable string, e ast.Expr) []index.Term {
	d := deriver{kind: kind, variable: variable}
	d.condition(e)
	return d.terms
}

type deriver struct {
	kind     index.Kind
	variable string
	terms    []index.Term
}

func (d *deriver) condition(e ast.Expr) {
	if e.Kind() != ast.CallKind {
		d.flag(e)
		return
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalAnd:
		for _, arg := range args {
			d.condition(arg)
		}
	case operators.Equals:
		d.equality(args[0], args[1])
		d.equality(args[1], args[0])
	case operators.LogicalNot:
		if d.path(args[0]) == "readOnly" {
			d.add(index.Flag(index.ReadOnly, false))
		}
	}
}

// flag takes a condition that is a member, or that one is there.
func (d *deriver) flag(e ast.Expr) {
	switch {
	case d.path(e) == "readOnly":
		d.add(index.Flag(index.ReadOnly, true))
	case e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() && e.AsSelect().FieldName() == "errorCode" && d.isRecord(e.AsSelect().Operand()):
		d.add(index.Flag(index.Failed, true))
	}
}

// equality takes member == constant.
func (d *deriver) equality(member, constant ast.Expr) {
	path := d.path(member)
	if path == "" || constant.Kind() != ast.LiteralKind {
		return
	}
	switch v := constant.AsLiteral().(type) {
	case types.String:
		if f := fieldOf(d.kind, path); f != 0 && v != "" {
			d.add(index.Term{Field: f, Value: string(v)})
		}
	case types.Bool:
		if path == "readOnly" {
			d.add(index.Flag(index.ReadOnly, bool(v)))
		}
	}
}

func (d *deriver) add(t index.Term) {
	if d.kind == index.Event || t.Field != index.ReadOnly {
		d.terms = append(d.terms, t)
	}
}

// path returns the names by which an expression goes from the variable to a member,
// e.g. "userIdentity.arn", or "" if it is something else. An element of a list is "[]".
func (d *deriver) path(e ast.Expr) string {
	names, ok := d.names(e)
	if !ok {
		return ""
	}
	return strings.Join(names, ".")
}

func (d *deriver) names(e ast.Expr) ([]string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return nil, d.isRecord(e)
	case ast.SelectKind:
		names, ok := d.names(e.AsSelect().Operand())
		return append(names, e.AsSelect().FieldName()), ok && !e.AsSelect().IsTestOnly()
	case ast.CallKind:
		return d.indexed(e.AsCall())
	}
	return nil, false
}

// isRecord says whether an expression is the variable.
func (d *deriver) isRecord(e ast.Expr) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == d.variable
}

// indexed takes member["name"] and list[0].
func (d *deriver) indexed(call ast.CallExpr) ([]string, bool) {
	if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
		return nil, false
	}
	names, ok := d.names(call.Args()[0])
	switch v := call.Args()[1].AsLiteral().(type) {
	case types.String:
		return append(names, string(v)), ok
	case types.Int:
		return append(names, "[]"), ok
	}
	return nil, false
}

// fieldOf returns the field of the member at a path that is a string, or 0.
func fieldOf(kind index.Kind, path string) index.Field {
	if kind == index.Entry {
		return entryFields(path)
	}
	switch path {
	case "eventName":
		return index.EventName
	case "eventSource":
		return index.EventSource
	case "eventID":
		return index.EventID
	case "requestID":
		return index.RequestID
	case "errorCode":
		return index.ErrorCode
	case "awsRegion":
		return index.Region
	case "userIdentity.arn":
		return index.Principal
	case "userIdentity.userName":
		return index.UserName
	case "userIdentity.accessKeyId":
		return index.AccessKeyID
	case "resources.[].ARN":
		return index.Resource
	case "resources.[].type":
		return index.ResourceType
	}
	return 0
}

func entryFields(path string) index.Field {
	switch path {
	case "hsm":
		return index.HSM
	case "opcode":
		return index.Opcode
	case "keyLabel", "keyID":
		return index.Key
	case "requestID":
		return index.RequestID
	case "userName":
		return index.UserName
	}
	return 0
}
