package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// What the guide shows of the making of a key pair is what it leaves, but for the
// numbers: these entries, one after the other, and their JSON.
func TestHSMLogGuideShowsAKeyPair(t *testing.T) {
	t.Parallel()
	guide := newGuide(t)
	_, client := startDev(t, t.TempDir()+"/dev")
	id := newKeyPair(t, client)
	var text, asJSON []string
	for _, e := range hsmLogText(t, client) {
		if strings.Contains(e.json, id) && strings.Contains(e.json, `"keyLabel":`) { // no self-test's
			text, asJSON = append(text, e.text), append(asJSON, e.json)
		}
	}
	if diff := cmp.Diff(guide.entries("A key pair is made"), shapes(text)); diff != "" {
		t.Errorf("a key pair's entries (+) are not the guide's (-):\n%s", diff)
	}
	want := shapes([]string{guide.block("Which request was it?")})
	if diff := cmp.Diff(want, shapes(asJSON[:1])); diff != "" {
		t.Errorf("the first entry's JSON (+) is not the guide's (-):\n%s", diff)
	}
}

// A wrong PIN and a worker that is started again look as the guide shows them.
func TestHSMLogGuideShowsStarts(t *testing.T) {
	t.Parallel()
	guide := newGuide(t)
	site := newSite(t, harness.Options{})
	if err := site.Token.WritePIN("not the PIN"); err != nil {
		t.Fatal(err)
	}
	server := start(t, site)
	awaitHealth(t, dial(t, site, server, harness.Admin), notServing)
	stop(t, server.Process)
	if err := site.Token.WritePIN(site.Token.PIN); err != nil {
		t.Fatal(err)
	}
	client := dial(t, site, start(t, site), harness.Admin)
	newKey(t, client)
	var all []string
	for _, e := range hsmLogText(t, client) {
		all = append(all, e.text)
	}
	for _, heading := range []string{"Somebody could not log in", "A worker was started again"} {
		if !strings.Contains(strings.Join(shapes(all), "\n"), guide.entries(heading)[0]) {
			t.Errorf("%q shows an entry that is not in the log:\n%s", heading, strings.Join(all, "\n"))
		}
	}
}

// What a lost worker leaves is shown as the golden file of the entries has it.
func TestHSMLogGuideShowsALostWorker(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("../audit/testdata/hsm_log.txt")
	if err != nil {
		t.Fatal(err)
	}
	entry := newGuide(t).block("A worker was lost before the HSM answered")
	if !strings.Contains(string(golden), entry) {
		t.Errorf("no golden entry is\n%s", entry)
	}
}

// guide is docs/hsm-log.md.
type guide struct {
	t    *testing.T
	text string
}

func newGuide(t *testing.T) guide {
	t.Helper()
	text, err := os.ReadFile("../docs/hsm-log.md")
	if err != nil {
		t.Fatal(err)
	}
	return guide{t, string(text)}
}

// block returns the fenced block of the section.
func (g guide) block(heading string) string {
	g.t.Helper()
	_, section, found := strings.Cut(g.text, "\n## "+heading+"\n")
	blocks := fences(section)
	if !found || len(blocks) == 0 {
		g.t.Fatalf("the guide shows nothing under %q", heading)
	}
	return blocks[0].text
}

// entries returns the shapes of the section's entries.
func (g guide) entries(heading string) []string {
	g.t.Helper()
	return shapes(strings.Split(g.block(heading), "\n\n"))
}

// varying is what differs between two runs of the same.
var varying = regexp.MustCompile(`(?m)^(Time: ).*$|((?:Sequence No|Reboot counter|Session Handle) : 0x).*$|(Key Handle : )[1-9].*$` +
	`|("(?:time|hsm|keyLabel|keyID|requestID)":").*?"|("(?:sequenceNo|rebootCounter|sessionHandle|privateHandle|publicHandle)":)\d+`)

// shapes returns the texts without what varies.
func shapes(texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, strings.TrimSpace(varying.ReplaceAllString(text, "$1$2$3$4$5")))
	}
	return all
}

// printed is an entry in both forms.
type printed struct{ text, json string }

func hsmLogText(t *testing.T, client *harness.Client) []printed {
	t.Helper()
	answers, err := client.HSMLog(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	var all []printed
	for _, a := range answers {
		all = append(all, printed{a.GetText(), a.GetEntryJson()})
	}
	return all
}

// newKeyPair makes an RSA key and returns the request's id.
func newKeyPair(t *testing.T, client *harness.Client) string {
	t.Helper()
	var header harness.Header
	_, err := client.KMS.CreateKey(within(t, 30*time.Second), &kmsv1.CreateKeyRequest{
		KeySpec:  kmsv1.KeySpec_KEY_SPEC_RSA_2048.Enum(),
		KeyUsage: kmsv1.KeyUsageType_KEY_USAGE_TYPE_SIGN_VERIFY.Enum(),
	}, header.Option())
	if err != nil {
		t.Fatal(err)
	}
	return header.RequestID()
}
