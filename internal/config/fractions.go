package config

import (
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// itemNumber is that of an item in a field's path.
var itemNumber = regexp.MustCompile(`\[\d+\]`)

// fractions refuses numbers with a fraction where whole ones are wanted. The decoder drops it:
// of 1.5 it makes 1.
func fractions(file string, root *yaml.Node) error {
	whole := map[string]bool{}
	wholeFields(whole, "", reflect.TypeFor[Config]())
	var all Errors
	walk(root, func(field string, line int, n *yaml.Node) {
		if n.ShortTag() != "!!float" || !whole[itemNumber.ReplaceAllString(field, "[]")] {
			return
		}
		if v, err := strconv.ParseFloat(n.Value, 64); err != nil || v != math.Trunc(v) {
			all = append(all, FieldError{File: file, Line: line, Field: field, Reason: mismatch("!!float", n.Value, "int")})
		}
	})
	if len(all) == 0 {
		return nil
	}
	return all
}

// wholeFields notes the paths of the fields that are whole numbers; those of lists' items
// have [] for a number.
func wholeFields(found map[string]bool, path string, t reflect.Type) {
	switch {
	case t.Kind() == reflect.Slice:
		wholeFields(found, path+"[]", t.Elem())
	case t.Kind() == reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if f.Anonymous { // inline
				wholeFields(found, path, f.Type)
			} else if name != "" {
				wholeFields(found, strings.TrimPrefix(path+"."+name, "."), f.Type)
			}
		}
	case t.Kind() == reflect.Int:
		found[path] = true
	}
}
