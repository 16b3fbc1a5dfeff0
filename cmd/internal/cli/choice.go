package cli

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/cmd/internal/present"
)

// enumeration is a type of the API with a few values.
type enumeration interface {
	~int32
	protoreflect.Enum
}

// choice is a flag with AWS's spelling of a value. The zero choice is none.
type choice[E enumeration] struct{ value E }

// UnmarshalText is part of encoding.TextUnmarshaler.
func (c *choice[E]) UnmarshalText(text []byte) error {
	values := c.value.Descriptor().Values()
	names := make([]string, 0, values.Len())
	for i := 1; i < values.Len(); i++ { // the first is none
		value := E(values.Get(i).Number())
		name := present.Enum(value)
		if name == string(text) {
			c.value = value
			return nil
		}
		names = append(names, name)
	}
	return fmt.Errorf("%q is none of %s", text, strings.Join(names, ", "))
}

// field returns the field of a request; nil is none.
func (c choice[E]) field() *E {
	if c.value == 0 {
		return nil
	}
	return &c.value
}
