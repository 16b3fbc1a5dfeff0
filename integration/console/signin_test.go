package console

import (
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/harness"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// refused are answers that a browser reports as failures.
const refused = `answer 4\d\d:|status of 4\d\d`

// A link signs in once. Who has no good one is told what to do, and so is who was signed
// in when the server is started again.
func TestSignIn(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "").start(t)
	page := s.signIn(t, harness.Admin, browser.Desktop)
	page.AwaitText("#principal", harness.Admin)
	used := s.link(t, harness.Admin)
	other := chromium.Open(t, s.origin, browser.Desktop)
	other.Go(used)
	other.Follow("#sign-in")

	for _, c := range []struct{ name, address, says string }{
		{"no link", "/", "To sign in, run this"},
		{"a page", "/keys", "To sign in, run this"},
		{"used before", used, "The link is not good, or no more"},
		{"made up", s.origin + "/sign-in?link=AAAAAAAAAAAAAAAAAAAAAAAAAA", "The link is not good, or no more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stranger := chromium.Open(t, s.origin, browser.Phone)
			stranger.Expect(refused)
			stranger.Go(c.address)
			stranger.AwaitText("h1", "^Sign in$")
			stranger.AwaitText("main", c.says)
			stranger.AwaitText("main", "strongroom console")
			requireUsable(t, stranger)
		})
	}

	page.Follow("#sign-out")
	page.Expect(refused)
	page.AwaitText("h1", "^Sign in$")
	page.Go("/keys")
	page.AwaitText("h1", "^Sign in$")

	page.Expect("net::ERR_")
	other.Expect(refused + "|net::ERR_")
	s.restart(t)
	other.AwaitText("#live", "has ended|is lost|does not answer")
	other.Go("/keys")
	other.AwaitText("main", "not signed in any more.*when the server starts again")
}

// What somebody may do decides what they see; who is no principal gets no link, and who is
// none any more sees nothing.
func TestWhoMaySeeWhat(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "").start(t)
	if out, err := s.run(t, harness.Stranger, "console"); err == nil {
		t.Errorf("a stranger was given a link: %s", out)
	}
	if out, err := s.run(t, harness.User, "console"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("who may not was given a link: %s, %v", out, err)
	}
	auditor := s.signIn(t, harness.Auditor, browser.Desktop)
	auditor.AwaitText("[data-live=journal-sequence]", `^[\d,]+$`)
	auditor.Expect(refused)
	visit(auditor, "Keys")
	auditor.AwaitText("main [role=alert]", "Access denied.*kms:ListKeys")
	requireUsable(t, auditor)

	former, carl := s.signInNew(t, "carl")
	former.Expect(refused)
	need[*operatorv1.DeletePrincipalResponse](t)(s.client.Operator.DeletePrincipal(t.Context(), &operatorv1.DeletePrincipalRequest{Arn: &carl}))
	former.Go("/")
	former.AwaitText("h1", "^Sign in$")
}

// signInNew makes a principal, who may do everything, and signs them in.
func (s *system) signInNew(t *testing.T, name string) (page *browser.Page, arn string) {
	t.Helper()
	arn = harness.ARN(name)
	id := need[harness.Identity](t)(s.CA.IssueClient(name, harness.SPIFFE(name)))
	need[*operatorv1.PutPrincipalResponse](t)(s.client.Operator.PutPrincipal(t.Context(), &operatorv1.PutPrincipalRequest{
		Arn: &arn, Names: []string{harness.SPIFFE(name).String()}, Policies: []string{"admin"},
	}))
	s.Identities[name] = id
	return s.signIn(t, name, browser.Desktop), arn
}
