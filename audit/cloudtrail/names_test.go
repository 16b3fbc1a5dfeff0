package cloudtrail

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

func TestNamesAreCloudTrails(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 3, 2, 23, 59, 59, 999, time.FixedZone("west", -3600))
	bare := names
	bare.Prefix = ""
	for _, c := range []struct {
		name string
		got  string
		want string
		is   Object
	}{
		{"log file", names.LogFile("eu-west-1", at, "ABCDEFGHIJKLMN23"),
			"audit/kms/AWSLogs/123456789012/CloudTrail/eu-west-1/2026/03/02/123456789012_CloudTrail_eu-west-1_20260302T1015Z_ABCDEFGHIJKLMN23.json.gz",
			Object{KindLogFile, "123456789012", "eu-west-1", at.Truncate(time.Minute)}},
		{"HSM log file", names.HSMLogFile("cluster-abc", "hsm-def", at, "ABCDEFGHIJKLMN23"),
			"audit/kms/AWSLogs/123456789012/CloudHSM/us-east-1/cluster-abc/hsm-def/2026/03/02/123456789012_CloudHSM_us-east-1_hsm-def_20260302T1015Z_ABCDEFGHIJKLMN23.log.gz",
			Object{KindHSMLogFile, "123456789012", "us-east-1", at.Truncate(time.Minute)}},
		{"HSM with an id that is no part of a path", names.HSMLogFile("..", "a/../b_ü", at, "ABCDEFGHIJKLMN23"),
			"audit/kms/AWSLogs/123456789012/CloudHSM/us-east-1/-/a-..-b--/2026/03/02/123456789012_CloudHSM_us-east-1_a-..-b--_20260302T1015Z_ABCDEFGHIJKLMN23.log.gz",
			Object{KindHSMLogFile, "123456789012", "us-east-1", at.Truncate(time.Minute)}},
		{"digest, in UTC", names.Digest("eu-west-1", end),
			"audit/kms/AWSLogs/123456789012/CloudTrail-Digest/eu-west-1/2026/03/03/123456789012_CloudTrail-Digest_eu-west-1_strong_room_us-east-1_20260303T005959Z.json.gz",
			Object{KindDigest, "123456789012", "eu-west-1", time.Date(2026, 3, 3, 0, 59, 59, 0, time.UTC)}},
		{"without prefix", bare.Digest("us-east-1", at) + SignatureSuffix,
			"AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/03/02/123456789012_CloudTrail-Digest_us-east-1_strong_room_us-east-1_20260302T101530Z.json.gz.sig",
			Object{KindSignature, "123456789012", "us-east-1", at}},
		{"keys", names.PublicKeys(), "audit/kms/AWSLogs/123456789012/public-keys.json", Object{Kind: KindPublicKeys, Account: "123456789012"}},
	} {
		if c.got != c.want {
			t.Errorf("%s is %s, want %s", c.name, c.got, c.want)
		}
		if is, ok := ParseObject(c.got); !ok || is != c.is {
			t.Errorf("%s is taken for %v, %v", c.name, is, ok)
		}
	}
}

func TestWhatIsNoFileOfATrail(t *testing.T) {
	t.Parallel()
	digest := names.Digest("us-east-1", at)
	log := names.LogFile("us-east-1", at, "ABCDEFGHIJKLMN23")
	for _, name := range []string{
		"", "README", log + ".sig", digest + ".sig.sig", "x" + strings.TrimPrefix(digest, "audit/kms/"),
		strings.Replace(digest, "/us-east-1/", "/eu-west-1/", 1), strings.Replace(digest, "/123456789012/", "/123456789013/", 1),
		strings.Replace(digest, "20260302T101530Z", "20260332T101530Z", 1), strings.Replace(log, "ABCDEFGHIJKLMN23", "short", 1),
	} {
		if o, ok := ParseObject(name); ok {
			t.Errorf("%q is taken for %+v", name, o)
		}
	}
}

func TestNamesValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*Names)
		wrong  string
	}{
		{func(*Names) {}, ""},
		{func(n *Names) { n.Prefix = "" }, ""},
		{func(n *Names) { n.Account = "12345678901" }, "account"},
		{func(n *Names) { n.Trail = "ab" }, "trail name"},
		{func(n *Names) { n.Trail = "a__b" }, "trail name"},
		{func(n *Names) { n.Trail = "abc-" }, "trail name"},
		{func(n *Names) { n.Prefix = "a/" }, "prefix"},
		{func(n *Names) { n.Prefix = "../a" }, "prefix"},
		{func(n *Names) { n.Prefix = "." }, "prefix"},
		{func(n *Names) { n.Prefix = strings.Repeat("a", 201) }, "prefix"},
		{func(n *Names) { n.Home = "us/east" }, "Region"},
	} {
		n := names
		c.change(&n)
		err := n.Validate()
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%+v: %v, want %q", n, err, c.wrong)
		}
	}
}

func TestUnique(t *testing.T) {
	t.Parallel()
	var id journal.ID
	for i := range id {
		id[i] = byte(i)
	}
	other := id
	other[0]++
	got := []string{
		Unique(id, "us-east-1", 1, 20), Unique(other, "us-east-1", 1, 20), Unique(id, "eu-west-1", 1, 20),
		Unique(id, "us-east-1", 2, 20), Unique(id, "us-east-1", 1, 21),
	}
	want := []string{"WFQ46WMLIEAASKFZ", "MPJLJ77PHPBDWOB2", "IUL34N7FD3ARXYHM", "67JFF7TYPNN7SHI2", "YYHRQRURQWRBTWB6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
