package console

import (
	"fmt"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// Keys are found by all their names, and a key's page has all that there is of it. What
// another client changes is there.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "").start(t)
	page := s.signIn(t, harness.Admin, browser.Desktop)
	visit(page, "Keys")
	page.AwaitText("#no-keys", "no keys in eu-central-1 yet.*strongroom key create")

	arn := s.newKey(t, "alias/payroll", &kmsv1.CreateKeyRequest{
		Description: new("Salaries and pensions"),
		Tags:        []*kmsv1.Tag{{TagKey: new("department"), TagValue: new("finance")}},
	})
	other := s.newKey(t, "alias/documents", &kmsv1.CreateKeyRequest{})
	page.Reload()
	row := fmt.Sprintf("tr[data-key=%q]", keyID(arn))
	page.AwaitText(row, "alias/payroll")
	page.AwaitText(row, "Salaries and pensions")
	page.AwaitText(row+" .state", "^Enabled$")
	need[*kmsv1.DisableKeyResponse](t)(s.client.KMS.DisableKey(t.Context(), &kmsv1.DisableKeyRequest{KeyId: &arn}))
	page.Reload()
	page.AwaitText(row+" .state", "^Disabled$")
	need[*kmsv1.EnableKeyResponse](t)(s.client.KMS.EnableKey(t.Context(), &kmsv1.EnableKeyRequest{KeyId: &arn}))

	for _, name := range []string{"alias/payroll", "payr", keyID(arn), arn} {
		page.Press("/")
		page.Submit("#q:focus", name)
		page.AwaitText(row, "alias/payroll")
		if browser.Value[bool](page, fmt.Sprintf("Boolean(document.querySelector('tr[data-key=%q]'))", keyID(other))) {
			t.Errorf("a search for %s finds %s too", name, other)
		}
	}
	page.Submit("#q", "nothing has this name")
	page.AwaitText("#no-keys", "None of the")
}

// A key's page shows what the test has just made: its policy, grant, rotation, last use and
// events.
func TestOneKey(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "").start(t)
	arn := s.newKey(t, "alias/payroll", &kmsv1.CreateKeyRequest{
		Tags: []*kmsv1.Tag{{TagKey: new("department"), TagValue: new("finance")}},
	})
	page := s.signIn(t, harness.Admin, browser.Desktop)
	visit(page, "Keys")
	page.Follow(fmt.Sprintf("tr[data-key=%q] a", keyID(arn)))
	page.AwaitText("h1", keyID(arn)+"|alias/payroll")
	page.AwaitText("#last-use", "has not been used since")
	page.AwaitText("#grants", "none")
	page.AwaitText("#rotations", "Automatic rotation is off")

	s.give(t, arn)
	request := s.encrypt(t, arn)
	policy := `{"Version":"2012-10-17","Statement":{"Sid":"MadeByTheTest","Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}}`
	need[*kmsv1.PutKeyPolicyResponse](t)(s.client.KMS.PutKeyPolicy(t.Context(), &kmsv1.PutKeyPolicyRequest{KeyId: &arn, Policy: &policy}))
	page.Reload()
	page.AwaitText("#aliases", "alias/payroll")
	page.AwaitText("#tags", "finance")
	page.AwaitText("#last-use", "Encrypt[^]*"+request)
	page.AwaitText("#grants", "month-end[^]*user/bob[^]*Decrypt, Encrypt")
	page.AwaitText("#rotations", "every 180 days[^]*ON_DEMAND")
	page.AwaitText("#policy", "MadeByTheTest")
	page.AwaitText(fmt.Sprintf("#events tr[data-request=%q]", request), "Encrypt")
	page.Follow("#last-use a")
	page.AwaitText("h1", request+"|Request")
}
