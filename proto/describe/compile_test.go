package describe_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// file is the real kms.proto, to be changed.
type file struct {
	*descriptorpb.FileDescriptorProto
}

func (f file) message(name string) *descriptorpb.DescriptorProto {
	for _, m := range f.MessageType {
		if m.GetName() == name {
			return m
		}
	}
	return nil
}

func (f file) field(message, name string) *descriptorpb.FieldDescriptorProto {
	for _, field := range f.message(message).Field {
		if field.GetName() == name {
			return field
		}
	}
	return nil
}

// rule changes the rule of a field, which may have none yet.
func (f file) rule(message, name string, change func(*annotationsv1.FieldRule)) {
	field := f.field(message, name)
	if field.Options == nil {
		field.Options = &descriptorpb.FieldOptions{}
	}
	amend(field.Options, annotationsv1.E_Field, change)
}

func (f file) messageRule(name string, change func(*annotationsv1.MessageRule)) {
	amend(f.message(name).Options, annotationsv1.E_Message, change)
}

func (f file) methodRule(name string, change func(*annotationsv1.MethodRule)) {
	amend(f.method(name).Options, annotationsv1.E_Method, change)
}

func (f file) method(name string) *descriptorpb.MethodDescriptorProto {
	for _, m := range f.Service[0].Method {
		if m.GetName() == name {
			return m
		}
	}
	return nil
}

func (f file) serviceRule(change func(*annotationsv1.ServiceRule)) {
	amend(f.Service[0].Options, annotationsv1.E_Service, change)
}

// amend changes a copy of the rule in options and puts it there.
func amend[T proto.Message](options proto.Message, extension protoreflect.ExtensionType, change func(T)) {
	rule := extension.New().Message().Interface().(T)
	if old, ok := proto.GetExtension(options, extension).(T); ok && old.ProtoReflect().IsValid() {
		rule = proto.CloneOf(old)
	}
	change(rule)
	proto.SetExtension(options, extension, rule)
}

// compileChanged compiles kms.proto after a change.
func compileChanged(t *testing.T, change func(file)) (*describe.API, error) {
	t.Helper()
	f := file{proto.CloneOf(protodesc.ToFileDescriptorProto(kmsv1.File_strongroom_kms_v1_kms_proto))}
	change(f)
	desc, err := protodesc.NewFile(f.FileDescriptorProto, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatalf("the changed file is not even a file: %v", err)
	}
	return describe.Compile(desc.Services().Get(0))
}

func TestCompileRefusesBadOptions(t *testing.T) {
	for _, group := range [][]spoilt{
		spoiltMethods(), spoiltContradictions(), spoiltMessages(), spoiltFields(), spoiltEvents(), spoiltUses(),
	} {
		for _, tt := range group {
			t.Run(tt.want, func(t *testing.T) {
				_, err := compileChanged(t, tt.spoil)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Compile = %v, want an error with %q", err, tt.want)
				}
			})
		}
	}
}

func TestCompileAcceptsACopyOfTheRealFile(t *testing.T) {
	if _, err := compileChanged(t, func(file) {}); err != nil {
		t.Errorf("Compile = %v", err)
	}
}

func TestCompileReportsEverythingAtOnce(t *testing.T) {
	_, err := compileChanged(t, func(f file) {
		f.methodRule("Encrypt", func(r *annotationsv1.MethodRule) { r.Quota = nil })
		f.rule("ListKeysRequest", "marker", func(r *annotationsv1.FieldRule) { r.Pattern = proto.String("[") })
	})
	for _, want := range []string{"Encrypt: quota is missing", "ListKeysRequest.marker: pattern"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Compile = %v, want an error with %q", err, want)
		}
	}
}

func TestCompileRefusesTheSameServiceTwice(t *testing.T) {
	_, err := describe.Compile(kmsDescriptor(), kmsDescriptor())
	if err == nil || !strings.Contains(err.Error(), `target "TrentService.Encrypt" is taken`) {
		t.Errorf("Compile = %v, want an error with the target", err)
	}
}
