package describe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// modelledErrors are the exceptions of AWS's KMS model. The API Reference gives
// HTTP 500 for those that are the service's fault and 400 for the others.
const modelledErrors = `AlreadyExists CloudHsmClusterInUse CloudHsmClusterInvalidConfiguration
CloudHsmClusterNotActive CloudHsmClusterNotFound CloudHsmClusterNotRelated Conflict
CustomKeyStoreHasCMKs CustomKeyStoreInvalidState CustomKeyStoreNameInUse CustomKeyStoreNotFound
DependencyTimeout Disabled DryRunOperation ExpiredImportToken IncorrectKey IncorrectKeyMaterial
IncorrectTrustAnchor InvalidAliasName InvalidArn InvalidCiphertext InvalidGrantId InvalidGrantToken
InvalidImportToken InvalidKeyUsage InvalidMarker KMSInternal KMSInvalidMac KMSInvalidSignature
KMSInvalidState KeyUnavailable LimitExceeded MalformedPolicyDocument NotFound Tag
UnsupportedOperation XksKeyAlreadyInUse XksKeyInvalidConfiguration XksKeyNotFound
XksProxyIncorrectAuthenticationCredential XksProxyInvalidConfiguration XksProxyInvalidResponse
XksProxyUriEndpointInUse XksProxyUriInUse XksProxyUriUnreachable XksProxyVpcEndpointServiceInUse
XksProxyVpcEndpointServiceInvalidConfiguration XksProxyVpcEndpointServiceNotFound`

func TestModelledErrors(t *testing.T) {
	serverFaults := []string{"DependencyTimeout", "KMSInternal", "KeyUnavailable"}
	for name := range strings.FieldsSeq(modelledErrors) {
		kind, ok := describe.KindByName(name + "Exception")
		if !ok {
			t.Errorf("no kind is named %sException", name)
			continue
		}
		fault := slices.Contains(serverFaults, name)
		want := describe.ErrorRule{
			Kind:        kind,
			Name:        name + "Exception",
			HTTPStatus:  400,
			ServerFault: fault,
			Retryable:   fault,
			Common:      name == "KMSInternal",
			QueryName:   name + "Exception",
		}
		if fault {
			want.HTTPStatus = 500
		}
		if diff := cmp.Diff(want, describe.ErrorOf(kind)); diff != "" {
			t.Errorf("ErrorOf(%v) (-want +got):\n%s", kind, diff)
		}
	}
}

// Statuses are those of AWS's common errors; those of authentication and
// authorization, which the reference has as 403, are 400 on the
// wire.
func TestCommonErrors(t *testing.T) {
	want := map[string]int{
		"AccessDeniedException":               400,
		"ExpiredTokenException":               400,
		"IncompleteSignatureException":        400,
		"InternalFailure":                     500,
		"InvalidSignatureException":           400,
		"KMSInternalException":                500,
		"MalformedHttpRequestException":       400,
		"MissingAuthenticationTokenException": 400,
		"RequestAbortedException":             400,
		"RequestEntityTooLargeException":      413,
		"RequestTimeoutException":             408,
		"SerializationException":              400,
		"ServiceUnavailableException":         503,
		"ThrottlingException":                 400,
		"UnknownOperationException":           404,
		"UnrecognizedClientException":         400,
		"ValidationException":                 400,
	}
	got := make(map[string]int)
	for n := range annotationsv1.ErrorKind_name {
		if rule := describe.ErrorOf(annotationsv1.ErrorKind(n)); rule.Common {
			got[rule.Name] = rule.HTTPStatus
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("common errors (-AWS +proto):\n%s", diff)
	}
}

// What was on the Query protocol before has other names there.
func TestQueryNames(t *testing.T) {
	for name, want := range map[string]string{
		"InvalidParameterValueException":       "InvalidParameterValue",
		"InvalidParameterCombinationException": "InvalidParameterCombination",
		"MissingRequiredParameterException":    "MissingParameter",
		"InternalServiceFault":                 "InternalServiceError",
		"InvalidNextToken":                     "InvalidNextToken",
		"AccessDeniedException":                "AccessDenied",
		"ValidationException":                  "ValidationError",
		"InvalidSignatureException":            "SignatureDoesNotMatch",
		"InternalFailure":                      "InternalFailure",
	} {
		kind, ok := describe.KindByName(name)
		if got := describe.ErrorOf(kind).QueryName; !ok || got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, s := range compiled(t).Services() {
		if want := s.IAMPrefix == "cloudwatch"; s.QueryCompatible != want {
			t.Errorf("%s: compatible with the Query protocol: %t, want %t", s.FullName, s.QueryCompatible, want)
		}
	}
}

func TestEveryKindHasItsOwnRule(t *testing.T) {
	for n := range annotationsv1.ErrorKind_name {
		kind := annotationsv1.ErrorKind(n)
		if n == 0 {
			continue
		}
		rule := describe.ErrorOf(kind)
		if rule.Kind != kind {
			t.Errorf("ErrorOf(%v) is the rule of %v", kind, rule.Kind)
		}
		if back, ok := describe.KindByName(rule.Name); !ok || back != kind {
			t.Errorf("KindByName(%q) = %v, want %v", rule.Name, back, kind)
		}
	}
}

func TestAnUnknownKindIsAnInternalError(t *testing.T) {
	for _, kind := range []annotationsv1.ErrorKind{0, -1, 9999} {
		if got := describe.ErrorOf(kind).Name; got != "KMSInternalException" {
			t.Errorf("ErrorOf(%d) is %s, want KMSInternalException", kind, got)
		}
	}
	for _, name := range []string{"", "NoSuchException"} {
		if kind, ok := describe.KindByName(name); ok {
			t.Errorf("KindByName(%q) = %v", name, kind)
		}
	}
}
