package clients

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Users and scripts know these texts.
func TestErrorsReadAsThoseOfAWS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "x", "x")
	const unknown = "5c1b6f0e-1f65-4d2a-9f0b-0d5a3c1e7a42"
	key := newKey(t)
	mustRun(t, command(t, dir, "aws", "kms", "create-alias", "--alias-name", "alias/taken", "--target-key-id", key))
	for _, test := range []struct{ command, want string }{
		{
			"describe-key --key-id " + unknown,
			"(NotFoundException) when calling the DescribeKey operation: Key 'arn:aws:kms:us-east-1:000000000000:key/" + unknown + "' does not exist",
		}, {
			"describe-key --key-id alias/none",
			"(NotFoundException) when calling the DescribeKey operation: Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.",
		}, {
			"create-alias --alias-name alias/taken --target-key-id " + key,
			"(AlreadyExistsException) when calling the CreateAlias operation: An alias with the name arn:aws:kms:us-east-1:000000000000:alias/taken already exists",
		}, {
			"encrypt --plaintext fileb://x --dry-run --key-id " + key,
			"(DryRunOperationException) when calling the Encrypt operation: The request would have succeeded, but the DryRun option is set.",
		}, {
			"sign --message fileb://x --signing-algorithm ECDSA_SHA_256 --key-id " + key,
			"(InvalidKeyUsageException) when calling the Sign operation: " + key + " key usage is ENCRYPT_DECRYPT which is not valid for Sign.",
		}, {
			"decrypt --ciphertext-blob fileb://x",
			"(InvalidCiphertextException) when calling the Decrypt operation: ",
		}, {
			"list-keys --no-sign-request",
			"(MissingAuthenticationTokenException) when calling the ListKeys operation: Missing Authentication Token",
		},
	} {
		out, err := command(t, dir, "aws", append([]string{"kms"}, strings.Fields(test.command)...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "An error occurred "+test.want) {
			t.Errorf("aws kms %s: %v\n%s\nwant\n%s", test.command, err, out, test.want)
		}
	}
}

// A list that is read page by page, in several runs, is the list. (Not in
// parallel with tests that make keys.)
func TestListKeysInPages(t *testing.T) {
	for range 3 {
		newKey(t)
	}
	type page struct {
		Keys      []struct{ KeyArn string }
		NextToken string
	}
	list := func(args ...string) (p page) {
		out := mustRun(t, command(t, t.TempDir(), "aws", append([]string{"kms", "list-keys", "--output", "json"}, args...)...))
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	all := list("--page-size", "1000").Keys
	paged := list("--page-size", "1").Keys
	first := list("--page-size", "1", "--max-items", "2")
	rest := list("--page-size", "2", "--starting-token", first.NextToken)
	if len(all) < 3 || !slices.Equal(paged, all) {
		t.Errorf("one by one %v, at once %v", paged, all)
	}
	if got := slices.Concat(first.Keys, rest.Keys); len(first.Keys) != 2 || !slices.Equal(got, all) {
		t.Errorf("in two runs %v, at once %v", got, all)
	}
}
