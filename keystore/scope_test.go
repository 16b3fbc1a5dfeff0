package keystore

import (
	"testing"

	"github.com/google/uuid"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

func TestParseReference(t *testing.T) {
	t.Parallel()
	const id = "1234abcd-12ab-34cd-56ef-1234567890ab"
	s := scope{account: "111122223333", region: "eu-central-1"}
	notFound := annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND
	invalidARN := annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN
	for _, c := range []struct {
		ref     string
		want    reference
		kind    Kind // zero: want
		message string
	}{
		{ref: id, want: reference{key: uuid.MustParse(id)}},
		{ref: "arn:aws:kms:eu-central-1:111122223333:key/" + id, want: reference{key: uuid.MustParse(id)}},
		{ref: "alias/payroll", want: reference{alias: "alias/payroll"}},
		{ref: "arn:aws:kms:eu-central-1:111122223333:alias/pay/roll", want: reference{alias: "alias/pay/roll"}},
		{ref: "arn:aws:kms:eu-central-1:999999999999:alias/payroll", kind: notFound, message: "Alias arn:aws:kms:eu-central-1:999999999999:alias/payroll is not found."},
		{ref: "arn:aws:kms:eu-central-1:111122223333:key/alias/payroll", kind: invalidARN, message: "Invalid arn arn:aws:kms:eu-central-1:111122223333:key/alias/payroll"},
		{ref: "payroll", kind: notFound, message: "Invalid keyId 'payroll'"},
		{ref: "1234ABCD-12ab-34cd-56ef-1234567890ab", kind: notFound, message: "Invalid keyId '1234ABCD-12ab-34cd-56ef-1234567890ab'"},
		{ref: "{" + id + "}", kind: notFound, message: "Invalid keyId '{" + id + "}'"},
		{ref: "arn:aws:kms:us-east-1:111122223333:key/" + id, kind: notFound, message: "Invalid arn us-east-1"},
		{ref: "arn:aws:kms:eu-central-1:999999999999:key/" + id, kind: notFound, message: "Key 'arn:aws:kms:eu-central-1:999999999999:key/" + id + "' does not exist"},
		{ref: "arn:aws:kms:eu-central-1", kind: invalidARN, message: "Invalid arn arn:aws:kms:eu-central-1"},
		{ref: "arn:aws:s3:eu-central-1:111122223333:key/" + id, kind: invalidARN, message: "Invalid arn arn:aws:s3:eu-central-1:111122223333:key/" + id},
		{ref: "arn:aws:kms:eu-central-1:111122223333:" + id, kind: invalidARN, message: "Invalid arn arn:aws:kms:eu-central-1:111122223333:" + id},
	} {
		got, err := s.parseReference(c.ref)
		if c.kind == 0 {
			if err != nil || got != c.want {
				t.Errorf("parseReference(%q) = %v, %v, want %v", c.ref, got, err, c.want)
			}
			continue
		}
		if e := AsError(err); err == nil || e.Kind != c.kind || e.Message != c.message {
			t.Errorf("parseReference(%q): got %v, want %v: %s", c.ref, err, c.kind, c.message)
		}
	}
}

func TestScopeRefusesWhatIsNoScope(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"", "us-east-1"}, {"12345678901", "us-east-1"}, {"12345678901a", "us-east-1"},
		{"123456789012", ""}, {"123456789012", "us/east/1"}, {"123456789012", "useast1"},
	} {
		if _, err := newScope(c[0], c[1]); err == nil {
			t.Errorf("newScope(%q, %q) succeeded", c[0], c[1])
		}
	}
}
