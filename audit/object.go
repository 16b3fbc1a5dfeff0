package audit

import (
	"strconv"

	"github.com/strongroom-kms/strongroom/proto/jsonenc"
)

// object appends the members of a JSON object. Names need no escaping.
type object struct {
	b     []byte
	empty bool
}

func openObject(dst []byte) object { return object{b: append(dst, '{'), empty: true} }

func (o *object) close() []byte { return append(o.b, '}') }

func (o *object) name(name string) {
	if !o.empty {
		o.b = append(o.b, ',')
	}
	o.empty = false
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) str(name, value string) {
	o.name(name)
	o.b = jsonenc.AppendString(o.b, value)
}

// optional leaves out an empty value.
func (o *object) optional(name, value string) {
	if value != "" {
		o.str(name, value)
	}
}

func (o *object) number(name string, value uint64) {
	o.name(name)
	o.b = strconv.AppendUint(o.b, value, 10)
}

func (o *object) boolean(name string, value bool) {
	o.name(name)
	o.b = strconv.AppendBool(o.b, value)
}

func (o *object) raw(name string, json []byte) {
	o.name(name)
	o.b = append(o.b, json...)
}
