package awsmodel_test

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// clients is where `make clients` installs the AWS clients, and models where the
// models are below it.
const (
	clients = "../../.tools/clients"
	models  = "lib/python3*/site-packages/botocore/data"
)

// model is botocore's model of a service.
type model struct {
	Metadata struct {
		APIVersion, EndpointPrefix, JSONVersion, Protocol, SigningName, TargetPrefix string
	}
	Operations map[string]operation
	Shapes     map[string]shape
}

type operation struct {
	Input, Output *ref
	Errors        []ref
}

type ref struct{ Shape string }

// shape is a type of the model.
type shape struct {
	Type               string
	Members            map[string]ref
	Required           []string
	Member, Key, Value ref
	Min, Max           *int64
	Pattern            string
	Enum               []string
	Sensitive          bool
	Exception, Fault   bool
}

// load reads the model of a service, e.g. "kms/2014-11-01". Without the clients the test is skipped; with clients
// that have no model it fails.
func load(t *testing.T, service string) *model {
	t.Helper()
	if _, err := os.Stat(clients); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the AWS clients, which have the model, are not installed; `make clients` installs them")
	}
	file := filepath.Join(clients, models, service, "service-2.json.gz")
	paths, err := filepath.Glob(file)
	if err != nil || len(paths) != 1 {
		t.Fatalf("there is not one %s: %q, %v; `make clients` installs it", file, paths, err)
	}
	packed, err := os.Open(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close() //nolint:errcheck // only read
	text, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{}
	if err := json.NewDecoder(text).Decode(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// only leaves out the operations that are not offered, and the errors of those alone.
func (m *model) only(operations []string) *model {
	maps.DeleteFunc(m.Operations, func(name string, _ operation) bool { return !slices.Contains(operations, name) })
	declared := map[string]bool{}
	for _, op := range m.Operations {
		for _, err := range op.Errors {
			declared[err.Shape] = true
		}
	}
	maps.DeleteFunc(m.Shapes, func(name string, s shape) bool { return s.Exception && !declared[name] })
	return m
}

// facts returns what the model says.
func (m *model) facts() facts {
	f := make(facts)
	f["service"] = fmt.Sprintf("%s %s %s %s %s", m.Metadata.Protocol, m.Metadata.JSONVersion,
		m.Metadata.TargetPrefix, cmp.Or(m.Metadata.SigningName, m.Metadata.EndpointPrefix), m.Metadata.APIVersion)
	for _, op := range m.Operations {
		m.structure(f, op.Input.Shape, true)
	}
	for name, op := range m.Operations {
		f[name] = "takes " + op.Input.Shape + ", answers no body"
		if op.Output != nil {
			f[name] = "takes " + op.Input.Shape + ", answers " + op.Output.Shape
			m.structure(f, op.Output.Shape, false)
		}
		for _, err := range op.Errors {
			f[name+" error "+err.Shape] = "declared"
		}
	}
	for name, s := range m.Shapes {
		if s.Exception {
			f[name] = exception(s.Fault)
		}
	}
	return f
}

// structure adds the facts of a structure, unless they are there: those of
// requests come first, since only a request is asked for required members.
func (m *model) structure(f facts, name string, input bool) {
	if !f.add(name, "structure") {
		return
	}
	s := m.Shapes[name]
	for member, r := range s.Members {
		v := m.value(r.Shape)
		v.required = input && slices.Contains(s.Required, member)
		v.addTo(f, name+" "+member)
		for _, inner := range []string{r.Shape, m.Shapes[r.Shape].Member.Shape, m.Shapes[r.Shape].Value.Shape} {
			m.named(f, inner, input)
		}
	}
}

// named adds the facts of a type that has a name of its own.
func (m *model) named(f facts, name string, input bool) {
	s := m.Shapes[name]
	if s.Type == "structure" {
		m.structure(f, name, input)
	}
	for _, spelling := range s.Enum {
		f[name+" "+spelling] = "spelling"
	}
}

// value returns what is said of members of a type.
func (m *model) value(name string) value {
	s := m.Shapes[name]
	v := value{size: limits(s), secret: s.Sensitive}
	switch s.Type {
	case "list":
		v.kind = "list of " + m.item(&v, s.Member.Shape)
	case "map":
		v.kind = "map to " + m.item(&v, s.Value.Shape)
		v.keySize = limits(m.Shapes[s.Key.Shape])
	default:
		v.kind, v.pattern = m.kind(name), s.Pattern
	}
	return v
}

// item enters what is said of the items of a list or map, and returns their
// type.
func (m *model) item(v *value, name string) string {
	s := m.Shapes[name]
	v.itemSize, v.itemPattern = limits(s), s.Pattern
	v.secret = v.secret || s.Sensitive
	return m.kind(name)
}

// kind returns the name of a structure or enum, or else the type.
func (m *model) kind(name string) string {
	if s := m.Shapes[name]; s.Type != "structure" && s.Enum == nil {
		return s.Type
	}
	return name
}

// limits returns the ends of a shape's range, empty if it has none.
func limits(s shape) string {
	if s.Min == nil || s.Max == nil {
		return ""
	}
	return fmt.Sprintf("%d..%d", *s.Min, *s.Max)
}
