package describe_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/proto/describe"
)

// operation is what AWS says of an operation: its shapes and errors in the
// notation of AWS's model (* marks a required member; ranges limit lengths and
// values; errors are without the suffix Exception), and what IAM, the quota
// tables and CloudTrail say.
type operation struct {
	in, out, errors string
	readOnly        bool
	resource        string
	quota           string
	crossAccount    bool
	omitRequest     bool // requestParameters is null
	showResponse    bool // responseElements is the answer
}

// awsOperations are the facts of AWS KMS, API version 2014-11-01, on all of its
// operations.
func awsOperations() map[string]operation {
	all := make(map[string]operation)
	for _, family := range []map[string]operation{
		keyOperations(), stateOperations(), aliasOperations(),
		cipherOperations(), asymmetricOperations(), macOperations(),
		tagOperations(), policyOperations(), grantOperations(),
		rotationOperations(), importOperations(), regionOperations(),
		storeOperations(),
	} {
		maps.Copy(all, family)
	}
	return all
}

func TestOperationsAreAsAWSHasThem(t *testing.T) {
	want := awsOperations()
	if len(want) != 54 {
		t.Fatalf("facts on %d operations, want 54", len(want))
	}
	got := make(map[string]operation)
	for _, m := range compiled(t).Services()[0].Methods {
		got[m.Name] = operation{
			in:           shape(m.Request),
			out:          shape(m.Response),
			errors:       exceptions(m),
			readOnly:     m.ReadOnly,
			resource:     strings.TrimPrefix(m.Resource.String(), "RESOURCE_KIND_"),
			quota:        strings.TrimPrefix(m.Quota.String(), "QUOTA_CLASS_"),
			crossAccount: m.CrossAccount,
			omitRequest:  m.EventOmitRequest,
			showResponse: m.EventResponse,
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(operation{})); diff != "" {
		t.Errorf("operations (-AWS +proto):\n%s", diff)
	}
}

func TestStructuresAreAsAWSHasThem(t *testing.T) {
	got := make(map[string]string)
	reachable(compiled(t), func(m *describe.Message) {
		isStructure := !strings.HasSuffix(m.WireName, "Request") && !strings.HasSuffix(m.WireName, "Response")
		if m.Desc.ParentFile().Package() == "strongroom.kms.v1" && isStructure {
			got[m.WireName] = shape(m)
		}
	})
	if diff := cmp.Diff(structures(), got); diff != "" {
		t.Errorf("structures (-AWS +proto):\n%s", diff)
	}
}

func TestEnumsAreAsAWSHasThem(t *testing.T) {
	got := make(map[string]string)
	reachable(compiled(t), func(m *describe.Message) {
		for _, f := range m.Fields {
			if f.Enum != nil && f.Enum.Desc.ParentFile().Package() == "strongroom.kms.v1" {
				got[string(f.Enum.Desc.Name())] = strings.Join(f.Enum.Names(), ", ")
			}
		}
	})
	if diff := cmp.Diff(enums(), got); diff != "" {
		t.Errorf("enums (-AWS +proto):\n%s", diff)
	}
}

// shape writes a plan in the notation of AWS's model.
func shape(m *describe.Message) string {
	var members []string
	for _, f := range m.Fields {
		name := f.WireName
		if f.Required {
			name += "*"
		}
		members = append(members, name+": "+typeOf(f))
	}
	return strings.Join(members, "; ")
}

func typeOf(f *describe.Field) string {
	switch {
	case f.List:
		return "list<" + scalar(f) + limited(f.ItemSize, f.ItemPattern) + ">" + limited(f.Size, nil)
	case f.Map:
		return "map<string" + limited(f.MapKeySize, nil) + "," + scalar(f) + limited(f.ItemSize, f.ItemPattern) + ">" + limited(f.Size, nil)
	}
	return scalar(f) + limited(f.Size, f.Pattern)
}

func scalar(f *describe.Field) string {
	switch f.Kind {
	case describe.KindBool:
		return "boolean"
	case describe.KindInt:
		return "integer"
	case describe.KindString:
		return "string"
	case describe.KindBytes:
		return "blob"
	case describe.KindTimestamp:
		return "timestamp"
	case describe.KindEnum:
		return "enum " + string(f.Enum.Desc.Name())
	case describe.KindMessage:
		return "struct " + f.Message.WireName
	}
	return fmt.Sprintf("kind %d", f.Kind)
}

func limited(size *describe.Range, pattern *describe.Pattern) string {
	var s string
	if size != nil {
		s += fmt.Sprintf(" %d..%d", size.Min, size.Max)
	}
	if pattern != nil {
		s += " /" + pattern.Text + "/"
	}
	return s
}

func exceptions(m *describe.Method) string {
	var names []string
	for _, kind := range m.Errors() {
		names = append(names, strings.TrimSuffix(describe.ErrorOf(kind).Name, "Exception"))
	}
	return strings.Join(names, ", ")
}
