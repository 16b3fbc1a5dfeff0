package sigv4_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
)

const (
	missing      = annotationsv1.ErrorKind_ERROR_KIND_MISSING_AUTHENTICATION_TOKEN
	incomplete   = annotationsv1.ErrorKind_ERROR_KIND_INCOMPLETE_SIGNATURE
	invalid      = annotationsv1.ErrorKind_ERROR_KIND_INVALID_SIGNATURE
	unrecognized = annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT
	expired      = annotationsv1.ErrorKind_ERROR_KIND_EXPIRED_TOKEN
)

// mismatch is what AWS KMS answered in aws/aws-sdk-cpp#1681 (2021), with nothing
// appended; Amazon DynamoDB appends the canonical request and the string to sign.
const mismatch = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// edit is a change to a signed request.
type edit func(r *http.Request)

// authorization changes the Authorization header.
func authorization(from, to string) edit {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), from, to))
	}
}

func set(name, value string) edit { return func(r *http.Request) { r.Header.Set(name, value) } }
func del(name string) edit        { return func(r *http.Request) { r.Header.Del(name) } }

// cut removes a parameter of the Authorization header.
func cut(name string) edit {
	return func(r *http.Request) {
		fields := strings.Split(r.Header.Get("Authorization"), " ")
		kept := fields[:0]
		for _, field := range fields {
			if !strings.HasPrefix(field, name+"=") {
				kept = append(kept, field)
			}
		}
		r.Header.Set("Authorization", strings.Join(kept, " "))
	}
}

// refusals are the mistakes that can be made, and what AWS says of them. Each text
// has where it was seen: dynalite is the record of Amazon DynamoDB's answers in
// architect/dynalite, index.js; the others are issues on GitHub. HASH stands for
// the hash of the Authorization header, SHORT for that of its credential.
var refusals = []struct {
	name string
	edit edit
	kind annotationsv1.ErrorKind
	text string
}{
	// IAM User Guide, "Troubleshoot Signature Version 4 signing"; dynalite has "Request is missing Authentication Token".
	{"no Authorization header", del("Authorization"), missing, "Missing Authentication Token"},
	{"another scheme", set("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9"), missing, "Missing Authentication Token"},
	// Inferred: AWS takes presigned requests.
	{"a presigned request", func(r *http.Request) {
		r.Header.Del("Authorization")
		r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"
	}, missing, "Missing Authentication Token"},
	// dynalite.
	{"signed twice", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256" }, invalid,
		"Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."},

	// awslabs/time-addressable-media-store#8 (2025). Before, AWS gave the header itself (aws/aws-sdk-go#289, 2015).
	{"a space in the access key id", authorization("Credential="+accessKey, "Credential="+accessKey+" "), incomplete,
		"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): 'HASH'."},
	// aws/chalice#828 (2018), with the header itself in place of its hash.
	{"no parameter", set("Authorization", "AWS4-HMAC-SHA256"), incomplete,
		"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
			"Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=HASH"},
	{"nothing", func(r *http.Request) {
		r.Header = http.Header{"Authorization": {"AWS4-HMAC-SHA256"}}
	}, incomplete, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
		"Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a " +
		"'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=HASH"},
	{"no credential", cut("Credential"), incomplete,
		"Authorization header requires 'Credential' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=HASH"},
	{"no signature", cut("Signature"), incomplete,
		"Authorization header requires 'Signature' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=HASH"},
	{"no list of headers", cut("SignedHeaders"), incomplete,
		"Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=HASH"},
	{"no date", del("X-Amz-Date"), incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. " +
		"(Hashed with SHA-256 and encoded with Base64) Authorization=HASH"},

	// dynalite.
	{"half a date", set("X-Amz-Date", "201"), incomplete,
		"Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"},
	{"a date with a fraction", set("X-Amz-Date", "20260228T235930.5Z"), incomplete,
		"Date must be in ISO-8601 'basic format'. Got '20260228T235930.5Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
	{"a date in words", func(r *http.Request) { r.Header.Del("X-Amz-Date"); r.Header.Set("Date", "yesterday") }, incomplete,
		"Date must be in ISO-8601 'basic format'. Got 'yesterday'. See http://en.wikipedia.org/wiki/ISO_8601"},
	// awslabs/amazon-kinesis-producer#222.
	{"too old", set("X-Amz-Date", "20260228T235429Z"), invalid,
		"Signature expired: 20260228T235429Z is now earlier than 20260228T235430Z (20260228T235930Z - 5 min.)"},
	// serverless/enterprise#11.
	{"too new", set("X-Amz-Date", "20260301T000431Z"), invalid,
		"Signature not yet current: 20260301T000431Z is still later than 20260301T000430Z (20260228T235930Z + 5 min.)"},

	// aws/aws-sdk-php#2469.
	{"host not signed", authorization("host;", ""), invalid, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
	{"no header signed", authorization("content-length;content-type;host;x-amz-date;x-amz-target", ""), invalid,
		"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
	// Inferred from the text for the host. AWS documents the rule (IAM User Guide, "Create a signed AWS API request").
	{"target not signed", authorization(";x-amz-target", ""), invalid, "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
	{"token not signed", set("X-Amz-Security-Token", token), invalid, "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization."},

	// dynalite.
	{"another algorithm", authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), incomplete,
		"Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now). "},
	// mhart/aws4#97, with the credential in place of its hash: it is often the secret. The hash is ours, as AWS gives one elsewhere.
	{"the secret for the access key id", authorization(accessKey, secret), incomplete,
		"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, " +
			"got (hashed with SHA-256 and encoded with Base64): 'SHORT'"},
	{"a short credential", authorization("/aws4_request", ""), incomplete,
		"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, " +
			"got (hashed with SHA-256 and encoded with Base64): 'SHORT'"},

	// cognitect-labs/aws-api#27. AWS's documents now write "Region", its services "region".
	{"another Region", authorization(region, "xx-nowhere-1"), invalid, "Credential should be scoped to a valid region, not 'xx-nowhere-1'. "},
	// arnemolland/sigv4#15.
	{"another service", authorization("/kms/", "/s3/"), invalid, "Credential should be scoped to correct service: 'kms'. "},
	// dynalite.
	{"another terminator", authorization("aws4_request", "aws5_request"), invalid,
		"Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. "},
	// tedder/requests-aws4auth#7.
	{"another day", authorization("/20260228/", "/20260301/"), invalid, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version " +
		"of date from HTTP: '20260301' != '20260228', from '20260228T235930Z'."},
	// dynalite.
	{"nothing of the scope right", authorization("20260228/eu-central-1/kms/aws4_request", "b/c/d/e"), invalid,
		"Credential should be scoped to a valid region, not 'c'. Credential should be scoped to correct service: 'kms'. " +
			"Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. Date in Credential scope does not match YYYYMMDD " +
			"from ISO-8601 version of date from HTTP: 'b' != '20260228', from '20260228T235930Z'."},

	// AWS KMS in localstack/localstack#4329.
	{"an unknown access key", authorization(accessKey, "AKIAI44QH8DHBEXAMPLE"), unrecognized, "The security token included in the request is invalid."},
	{"an access key in the wrong case", authorization(accessKey, strings.ToLower(accessKey)), unrecognized,
		"The security token included in the request is invalid."},
}

// withHashes puts the hashes of an Authorization header and of its credential into
// a text.
func withHashes(text, header string) string {
	_, credential, _ := strings.Cut(header, "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	return strings.NewReplacer("HASH", hashOf(header), "SHORT", hashOf(credential)).Replace(text)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestRefusals(t *testing.T) {
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			r := signedRequest(t)
			test.edit(r)
			signed, err := newVerifier(newKeys(), signedAt).Verify(r, "kms", reading([]byte(decrypt)))
			want := sigv4.Error{Kind: test.kind, Message: withHashes(test.text, r.Header.Get("Authorization"))}
			if got := refusal(t, err); *got != want || signed != (sigv4.Signed{}) {
				t.Errorf("got\n%v\nwant\n%v", got, &want)
			}
		})
	}
}

// TestOrderOfChecks makes all mistakes at once and then takes back one after the
// other, in the order in which they are told.
func TestOrderOfChecks(t *testing.T) {
	steps := []struct {
		kind  annotationsv1.ErrorKind
		start string
		fix   edit
	}{
		{incomplete, "Invalid key=value pair", authorization(", x,", ",")},
		{incomplete, "Date must be in", set("X-Amz-Date", "20250101T000000Z")},
		{invalid, "Signature expired", set("X-Amz-Date", "20260228T235930Z")},
		{invalid, "'Host' or ':authority'", authorization("hosts;", "host;")},
		{invalid, "'X-Amz-Meta-X'", del("X-Amz-Meta-X")},
		{incomplete, "Unsupported AWS 'algorithm'", authorization("AWS4-X", "AWS4-HMAC-SHA256")},
		{incomplete, "Credential must have exactly", authorization("AKIA/", "AKIA")},
		{invalid, "Credential should be scoped", authorization("/s3/", "/kms/")},
		{unrecognized, "The security token", authorization("AKIA2", accessKey)},
		{invalid, mismatch, authorization("Signature=f", "Signature=")},
	}
	r := signedRequest(t)
	for _, spoil := range []edit{
		authorization(accessKey, "AKIA/2"), authorization("/kms/", "/s3/"), authorization("Signature=", "Signature=f"),
		authorization("host;", "hosts;"), authorization("AWS4-HMAC-SHA256", "AWS4-X"), authorization(", SignedHeaders", ", x, SignedHeaders"),
		set("X-Amz-Date", "now"), set("X-Amz-Meta-X", "1"),
	} {
		spoil(r)
	}
	v := newVerifier(newKeys(), signedAt)
	for _, step := range steps {
		_, err := v.Verify(r, "kms", reading([]byte(decrypt)))
		if got := refusal(t, err); got.Kind != step.kind || !strings.HasPrefix(got.Message, step.start) {
			t.Fatalf("got %v, want %v: %s", got, step.kind, step.start)
		}
		step.fix(r)
	}
	if _, err := v.Verify(r, "kms", reading([]byte(decrypt))); err != nil {
		t.Errorf("with nothing wrong any more: %v", err)
	}
}

func TestSkew(t *testing.T) {
	for _, test := range []struct {
		skew time.Duration
		ok   bool
	}{
		{0, true}, {5 * time.Minute, true}, {5*time.Minute + 999*time.Millisecond, true}, {5*time.Minute + time.Second, false},
		{-5 * time.Minute, true}, {-5*time.Minute - time.Second, false}, {100 * 365 * 24 * time.Hour, false},
	} {
		v := newVerifier(newKeys(), signedAt.Add(test.skew).In(time.FixedZone("", 3600)))
		if _, err := v.Verify(signedRequest(t), "kms", reading([]byte(decrypt))); (err == nil) != test.ok {
			t.Errorf("server's clock %v ahead: %v", test.skew, err)
		}
	}
}

func TestSession(t *testing.T) {
	session := usual()
	session.token = token
	for _, test := range []struct {
		name    string
		known   sigv4.Credential
		sent    signing
		refused *sigv4.Error
	}{
		{"the session's", sigv4.Credential{Secret: secret, SessionToken: token}, session, nil},
		{"before it ends", sigv4.Credential{Secret: secret, SessionToken: token, Expires: signedAt.Add(1)}, session, nil},
		// boto/boto3#1127, of AWS KMS.
		{"when it ends", sigv4.Credential{Secret: secret, SessionToken: token, Expires: signedAt}, session,
			&sigv4.Error{Kind: expired, Message: "The security token included in the request is expired"}},
		// awslabs/amazon-kinesis-scaling-utils#46; dynalite.
		{"another session's", sigv4.Credential{Secret: secret, SessionToken: "other"}, session,
			&sigv4.Error{Kind: unrecognized, Message: "The security token included in the request is invalid"}},
		{"none, but there is one", sigv4.Credential{Secret: secret, SessionToken: token}, usual(),
			&sigv4.Error{Kind: unrecognized, Message: "The security token included in the request is invalid"}},
		{"one, but there is none", sigv4.Credential{Secret: secret}, session,
			&sigv4.Error{Kind: unrecognized, Message: "The security token included in the request is invalid"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := newKeys()
			k.set(accessKey, test.known)
			r := newRequest([]byte(decrypt))
			test.sent.sign(t, r, []byte(decrypt))
			_, err := newVerifier(k, signedAt).Verify(r, "kms", reading([]byte(decrypt)))
			if test.refused == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := refusal(t, err); *got != *test.refused {
				t.Errorf("got %v, want %v", got, test.refused)
			}
		})
	}
}
