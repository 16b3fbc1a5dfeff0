package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

// documentation is docs/policies.md.
func documentation(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocumentedPolicies expects that the key policies of the documentation are
// such, and that the default one is what it says.
func TestDocumentedPolicies(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(documentation(t), -1)
	if len(blocks) < 2 {
		t.Fatalf("there are %d policies in the documentation, want the default one and an example", len(blocks))
	}
	for _, block := range blocks {
		if _, err := policy.ParseKeyPolicy(block[1]); err != nil {
			t.Errorf("%v in the policy\n%s", err, block[1])
		}
	}
	if got, want := withoutSpace(policy.DefaultKeyPolicy("000000000000")), withoutSpace(blocks[0][1]); got != want {
		t.Errorf("the default key policy is\n%s\nwant, as documented,\n%s", got, want)
	}
}

func withoutSpace(s string) string { return strings.Join(strings.Fields(s), "") }

// TestDocumentedConditionKeys expects the table of condition keys to have each that
// a request may have.
func TestDocumentedConditionKeys(t *testing.T) {
	documented := documentation(t)
	for _, name := range policy.KnownConditionKeys() {
		if !strings.Contains(documented, "`"+name+"`") {
			t.Errorf("the documentation does not say what %s is", name)
		}
	}
}

// TestDocumentedOperators expects every operator of the documentation to be one.
func TestDocumentedOperators(t *testing.T) {
	_, section, _ := strings.Cut(documentation(t), "| Operators | compare |")
	section, _, _ = strings.Cut(section, "| `Null`")
	values := map[string]string{"Bool": "true", "Numeric": "7", "Date": "2026-01-31", "Ip": "10.0.0.0/8", "NotIp": "10.0.0.0/8"}
	operators := regexp.MustCompile("`((?:String|Arn|Bool|Numeric|Date|IpAddress|NotIp)[A-Za-z]*)`").FindAllStringSubmatch(section, -1)
	if len(operators) != 25 {
		t.Errorf("there are %d operators in the documentation, want 25", len(operators))
	}
	for _, operator := range operators {
		value := "arn:aws:kms:*:*:*"
		for prefix, v := range values {
			if strings.HasPrefix(operator[1], prefix) {
				value = v
			}
		}
		text := `{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"` + operator[1] + `": {"aws:x": "` + value + `"}}}}`
		if _, err := policy.ParseIdentityPolicy("documented", text); err != nil {
			t.Errorf("%s: %v", operator[1], err)
		}
	}
}
