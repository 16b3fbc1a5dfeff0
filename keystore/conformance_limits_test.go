package keystore

import (
	"bytes"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// member is a member of a request, maybe inside a structure or the first one of a list.
type member struct {
	*describe.Field
	path string // as AWS's messages name it
	in   func(protoreflect.Message) protoreflect.Message
}

// set gives the member of a copy of a request a value; nil: none.
func (m member) set(req proto.Message, v any) proto.Message {
	req = proto.Clone(req)
	r := m.in(req.ProtoReflect())
	if v == nil {
		r.Clear(m.Desc)
	} else {
		r.Set(m.Desc, protoreflect.ValueOf(v))
	}
	return req
}

// membersOf are the members of a message, as the API's description has them; that its limits
// are those of the AWS model is tested where it is made, in proto/describe.
func membersOf(m *describe.Message, prefix string, in func(protoreflect.Message) protoreflect.Message) (all []member) {
	for _, f := range m.Fields {
		all = append(all, member{f, prefix + f.MemberName, in})
		switch {
		case f.Kind != describe.KindMessage || f.Map:
		case f.List:
			all = append(all, membersOf(f.Message, prefix+f.MemberName+".1.member.", func(r protoreflect.Message) protoreflect.Message {
				list := in(r).Mutable(f.Desc).List()
				if list.Len() == 0 {
					return list.AppendMutable().Message()
				}
				return list.Get(0).Message()
			})...)
		default:
			all = append(all, membersOf(f.Message, prefix+f.MemberName+".", func(r protoreflect.Message) protoreflect.Message {
				return in(r).Mutable(f.Desc).Message()
			})...)
		}
	}
	return all
}

// sizeRows are of every member of every operation that is required, or has limits: without
// it, and past each of its limits, which comes before everything else about a request; and of
// those of bytes and characters at each of their limits, where the request goes on.
func (c *conformance) sizeRows(requests []proto.Message) (rows []conformanceRow) {
	plans := make(map[string]*describe.Method)
	for _, m := range c.methods() {
		plans[m.Name] = m
	}
	for _, req := range requests {
		for _, m := range membersOf(plans[operationOf(req)].Request, "", func(r protoreflect.Message) protoreflect.Message { return r }) {
			if m.Required {
				rows = append(rows, invalidRow("no "+m.path, m.set(req, nil), "Value null at '"+m.path+"' failed to satisfy constraint: Member must not be null"))
			}
			switch {
			case m.Kind == describe.KindMessage || m.Map:
			case m.List:
				rows = append(rows, m.listRows(req)...)
			case m.Kind == describe.KindEnum:
				rows = append(rows, m.enumRow(req))
			case m.Size != nil && (m.Kind == describe.KindString || m.Kind == describe.KindBytes):
				rows = append(rows, m.lengthRows(req)...)
				rows = append(rows, c.edgeRows(m, req)...)
			}
		}
	}
	return rows
}

// invalidRow is of a request that breaks constraints, in these words; anybody is told.
func invalidRow(name string, req proto.Message, violations ...string) conformanceRow {
	text := fmt.Sprintf("%d validation errors detected: %s", len(violations), strings.Join(violations, "; "))
	if len(violations) == 1 {
		text = "1 validation error detected: " + violations[0]
	}
	return conformanceRow{name: name, caller: nobody, request: req, want: answer{invalid, text, apiReference}}
}

// broken are AWS's words for what breaks a constraint.
func (m member) broken(value any, constraint string) string {
	shown := ""
	if s, ok := value.(string); ok && !m.Secret {
		shown = " " + describe.Quote(s)
	}
	return "Value" + shown + " at '" + m.path + "' failed to satisfy constraint: Member must " + constraint
}

// lengthRows are a character or byte past each end.
func (m member) lengthRows(req proto.Message) (rows []conformanceRow) {
	for length, constraint := range map[int64]string{
		m.Size.Max + 1: fmt.Sprint("have length less than or equal to ", m.Size.Max),
		m.Size.Min - 1: fmt.Sprint("have length greater than or equal to ", m.Size.Min),
	} {
		if length < 0 {
			continue
		}
		value := m.filled(int(length))
		violations := []string{m.broken(value, constraint)}
		if s, ok := value.(string); ok && m.Pattern != nil && !m.Pattern.Match(s) {
			violations = append(violations, m.broken(value, "satisfy regular expression pattern: "+m.Pattern.Text))
		}
		rows = append(rows, invalidRow(fmt.Sprintf("%s of %d", m.path, length), m.set(req, value), violations...))
	}
	return rows
}

// filled is a value of a length, one that fits the member's pattern if there is one.
func (m member) filled(length int) any {
	if m.Kind == describe.KindBytes {
		return bytes.Repeat([]byte("a"), length)
	}
	for around, value := range map[string][2]string{
		"aliasName":                {aliasPrefix, ""},
		"replicaRegion":            {"", "-a-1"},
		"primaryRegion":            {"", "-a-1"},
		"granteeServicePrincipal":  {"", ".amazonaws.com"},
		"retiringServicePrincipal": {"", ".amazonaws.com"},
		"constraints.sourceArn":    {"arn:aws:a::000000000000:", ""},
	} {
		if fixed := len(value[0]) + len(value[1]); m.path == around && length > fixed {
			return value[0] + strings.Repeat("a", length-fixed) + value[1]
		}
	}
	return strings.Repeat("a", length)
}

// enumRow is of a value that the enum does not have.
func (m member) enumRow(req proto.Message) conformanceRow {
	return invalidRow("unknown "+m.path, m.set(req, protoreflect.EnumNumber(9999)), m.broken("9999", m.oneOf()))
}

// oneOf is the constraint of an enum's values, in AWS's spelling.
func (m member) oneOf() string {
	typ, err := protoregistry.GlobalTypes.FindEnumByName(m.Enum.Desc.FullName())
	if err != nil {
		panic(err)
	}
	var names []string
	for i := range m.Enum.Desc.Values().Len() {
		if v := m.Enum.Desc.Values().Get(i).Number(); v != 0 {
			names = append(names, describe.WireName(typ.New(v)))
		}
	}
	return "satisfy enum value set: [" + strings.Join(names, ", ") + "]"
}

// listRows are of a list of an item more than it may have, and of items past their limits.
func (m member) listRows(req proto.Message) (rows []conformanceRow) {
	if m.Size != nil {
		n := int(m.Size.Max) + 1
		item, spelling := m.item()
		shown := strings.TrimSuffix(strings.Repeat(spelling+", ", n), ", ")
		rows = append(rows, invalidRow(fmt.Sprintf("%s of %d", m.path, n), m.setList(req, n, item),
			m.broken("["+shown+"]", fmt.Sprint("have length less than or equal to ", m.Size.Max))))
	}
	if m.ItemSize != nil {
		constraint := fmt.Sprintf("satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to %d]", m.ItemSize.Max, m.ItemSize.Min)
		for _, item := range []string{"", strings.Repeat("x", int(m.ItemSize.Max)+1)} {
			rows = append(rows, invalidRow(fmt.Sprintf("%s with one of %d", m.path, len(item)), m.setList(req, 1, protoreflect.ValueOfString(item)), m.broken("["+item+"]", constraint)))
		}
	}
	if m.Enum != nil {
		rows = append(rows, invalidRow("unknown in "+m.path, m.setList(req, 1, protoreflect.ValueOfEnum(9999)), m.broken("[9999]", "satisfy constraint: [Member must "+m.oneOf()+"]")))
	}
	return rows
}

// item is a good item of a list, and how it is shown.
func (m member) item() (protoreflect.Value, string) {
	if m.Enum == nil {
		return protoreflect.ValueOfString("x"), "x"
	}
	name := m.Enum.Names()[0]
	number, _ := m.Enum.Number(name)
	return protoreflect.ValueOfEnum(number), name
}

// setList gives a copy of a request a list of n equal items.
func (m member) setList(req proto.Message, n int, item protoreflect.Value) proto.Message {
	req = proto.Clone(req)
	list := m.in(req.ProtoReflect()).Mutable(m.Desc).List()
	list.Truncate(0)
	for range n {
		list.Append(item)
	}
	return req
}
