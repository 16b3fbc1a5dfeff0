package present

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// JSON prints messages of the API as the AWS command line does: members by
// their AWS names, enums by their AWS spelling, bytes in base64, times in RFC
// 3339, absent members left out, but for the lists that are an answer's: these
// are empty then. Secret members are shown: they are what the user asked for.
type JSON struct{ api *describe.API }

// NewJSON reads the API's descriptors.
func NewJSON() (*JSON, error) {
	api, err := describe.Compile(
		kmsv1.File_strongroom_kms_v1_kms_proto.Services().Get(0),
		operatorv1.File_strongroom_operator_v1_operator_proto.Services().Get(0),
	)
	if err != nil {
		return nil, fmt.Errorf("reading the API's description: %w", err)
	}
	return &JSON{api}, nil
}

// Write prints a request, an answer or a part of one, indented, with a final
// newline.
func (j *JSON) Write(w io.Writer, m proto.Message) error {
	r := m.ProtoReflect()
	plan := j.api.Message(r.Descriptor().FullName())
	if plan == nil {
		return fmt.Errorf("%s is not a message of the API", r.Descriptor().FullName())
	}
	text, err := appendObject(nil, plan, r)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}

func appendObject(dst []byte, plan *describe.Message, r protoreflect.Message) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	isAnswer := strings.HasSuffix(plan.WireName, "Response")
	for _, f := range plan.Fields {
		if shown := r.Has(f.Desc) || isAnswer && f.List; !shown {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = fmt.Appendf(dst, "%q:", f.WireName)
		var err error
		if dst, err = appendField(dst, f, r.Get(f.Desc)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.WireName, err)
		}
	}
	return append(dst, '}'), nil
}

func appendField(dst []byte, f *describe.Field, v protoreflect.Value) ([]byte, error) {
	switch {
	case f.List:
		return appendList(dst, f, v.List())
	case f.Map:
		entries := map[string]string{}
		for k, item := range v.Map().Range {
			entries[k.String()] = item.String()
		}
		return appendGo(dst, entries)
	case f.Kind == describe.KindMessage:
		return appendObject(dst, f.Message, v.Message())
	}
	return appendScalar(dst, f, v)
}

func appendList(dst []byte, f *describe.Field, list protoreflect.List) ([]byte, error) {
	item := *f
	item.List = false
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendField(dst, &item, list.Get(i)); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendScalar(dst []byte, f *describe.Field, v protoreflect.Value) ([]byte, error) {
	switch f.Kind {
	case describe.KindEnum:
		return appendGo(dst, enumName(f.Enum, v.Enum()))
	case describe.KindTimestamp:
		return appendGo(dst, timestamp(v.Message()).Format(time.RFC3339Nano))
	default:
		return appendGo(dst, v.Interface())
	}
}

// enumName gives a number that this version does not know as it is.
func enumName(e *describe.Enum, n protoreflect.EnumNumber) any {
	if name, ok := e.WireName(n); ok {
		return name
	}
	return int32(n)
}

func timestamp(m protoreflect.Message) time.Time {
	fields := m.Descriptor().Fields()
	return time.Unix(m.Get(fields.ByName("seconds")).Int(), m.Get(fields.ByName("nanos")).Int()).UTC()
}

// appendGo appends what encoding/json makes of v, without the escapes that are
// meant for HTML.
func appendGo(dst []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'}), nil
}
