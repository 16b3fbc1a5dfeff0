package config_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/internal/config"
)

// TestTheReferenceHasEveryField compares docs/configuration.md with the fields
// that a file can have, both ways.
func TestTheReferenceHasEveryField(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(.*)\\|$").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, row[1])
		if n := strings.Count(row[2], "|"); n != 2 {
			t.Errorf("%s: %d columns, want default, limits and meaning", row[1], n+1)
		}
	}
	fields := fieldsOf("", reflect.TypeFor[config.Config]())
	slices.Sort(documented)
	slices.Sort(fields)
	if diff := cmp.Diff(fields, documented); diff != "" {
		t.Errorf("docs/configuration.md does not have the fields of Config (-want +got):\n%s", diff)
	}
}

// fieldsOf lists the paths of the fields that have no fields of their own.
func fieldsOf(path string, typ reflect.Type) []string {
	switch {
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
		return fieldsOf(path+"[]", typ.Elem())
	case typ.Kind() != reflect.Struct:
		return []string{path}
	}
	var all []string
	for f := range typ.Fields() {
		if f.Anonymous {
			all = append(all, fieldsOf(path, f.Type)...)
		} else if name := f.Tag.Get("yaml"); name != "" {
			all = append(all, fieldsOf(strings.TrimPrefix(path+"."+name, "."), f.Type)...)
		}
	}
	return all
}
