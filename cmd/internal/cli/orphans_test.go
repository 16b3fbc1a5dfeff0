package cli_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

func TestOrphans(t *testing.T) {
	ours := &operatorv1.TokenOrphan{HsmId: new("hsm-a"), ObjectId: new("0a0b"), Label: new(fakeKeyARN), Ours: new(true)}
	foreign := &operatorv1.TokenOrphan{HsmId: new("hsm-a"), ObjectId: new(""), Label: new("vpn\x1b[2J"), Ours: new(false)}
	missing := &operatorv1.MetadataOrphan{KeyArn: new(fakeKeyARN), BackingKeyId: new("0c0d"), Current: new(true)}
	older := &operatorv1.MetadataOrphan{KeyArn: new(fakeKeyARN), BackingKeyId: new("0e0f"), Current: new(false)}
	tests := []struct {
		name    string
		orphans *operatorv1.ListHsmOrphansResponse
		status  int
		tables  []string // the lines of tables and advice that name something
	}{
		{"none", &operatorv1.ListHsmOrphansResponse{}, 0, []string{
			"Every key in the HSMs belongs to a KMS key, and every KMS key has its material in an HSM.",
		}},
		{"of another application", &operatorv1.ListHsmOrphansResponse{TokenOrphans: []*operatorv1.TokenOrphan{foreign}}, 0, []string{
			"HSM    OBJECT ID  MADE       LABEL",
			"hsm-a  -          elsewhere  vpn?[2J",
		}},
		{"on the token", &operatorv1.ListHsmOrphansResponse{TokenOrphans: []*operatorv1.TokenOrphan{ours, foreign}}, 3, []string{
			"HSM    OBJECT ID  MADE       LABEL",
			"hsm-a  0a0b       here       " + fakeKeyARN,
			"hsm-a  -          elsewhere  vpn?[2J",
		}},
		{"in the metadata", &operatorv1.ListHsmOrphansResponse{MetadataOrphans: []*operatorv1.MetadataOrphan{missing, older}}, 3, []string{
			"KEY ARN" + strings.Repeat(" ", len(fakeKeyARN)-5) + "MISSING OBJECT ID  NEEDED TO",
			fakeKeyARN + "  0c0d               encrypt, decrypt",
			fakeKeyARN + "  0e0f               decrypt",
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			variables := startFakeOperator(t, fakeOperator{orphans: tc.orphans})
			got := run(t.Context(), variables, "", "hsm", "orphans")
			if got.status != tc.status || got.stderr != "" {
				t.Errorf("status %d, want %d; stderr %q", got.status, tc.status, got.stderr)
			}
			table, _, _ := strings.Cut(got.stdout, "\n\n")
			if diff := cmp.Diff(tc.tables, strings.Split(strings.TrimSpace(table), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := run(t.Context(), variables, "", "hsm", "orphans", "--json"); got.status != tc.status || got.stdout[0] != '{' {
				t.Errorf("with --json: status %d, want %d: %s", got.status, tc.status, got.stdout)
			}
		})
	}
}

func TestOrphansNamesTheKeyStoresThatWereNotLookedAt(t *testing.T) {
	foreign := []*operatorv1.TokenOrphan{{HsmId: new("hsm-a"), ObjectId: new("0a0b"), Label: new("vpn"), Ours: new(false)}}
	tests := []struct {
		name    string
		orphans *operatorv1.ListHsmOrphansResponse
		want    string // the last line, or that there is none about it
	}{
		{"all were", &operatorv1.ListHsmOrphansResponse{}, ""},
		{"all were, with orphans", &operatorv1.ListHsmOrphansResponse{TokenOrphans: foreign}, ""},
		{"two were not", &operatorv1.ListHsmOrphansResponse{SkippedKeyStores: []string{"cks-1", "cks-2"}}, "key stores cks-1, cks-2."},
		{"one was not, with orphans", &operatorv1.ListHsmOrphansResponse{TokenOrphans: foreign, SkippedKeyStores: []string{"cks-1"}}, "key stores cks-1."},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := run(t.Context(), startFakeOperator(t, fakeOperator{orphans: tc.orphans}), "", "hsm", "orphans")
			if got.status != 0 {
				t.Errorf("status %d: a disconnected key store is no orphan", got.status)
			}
			_, named, _ := strings.Cut(got.stdout, "Not looked at, because they are not connected: ")
			if strings.TrimSpace(named) != tc.want {
				t.Errorf("names %q, want %q, in\n%s", named, tc.want, got.stdout)
			}
		})
	}
}

func TestOrphansSaysWhatToDo(t *testing.T) {
	variables := startFakeOperator(t, fakeOperator{orphans: &operatorv1.ListHsmOrphansResponse{
		TokenOrphans:    []*operatorv1.TokenOrphan{{Ours: new(true)}},
		MetadataOrphans: []*operatorv1.MetadataOrphan{{}},
	}})
	got := run(t.Context(), variables, "", "hsm", "orphans").stdout
	for _, want := range []string{"backup of the metadata", "HSM's own backup", "strongroom hsm info"} {
		if !strings.Contains(got, want) {
			t.Errorf("no word of %q in\n%s", want, got)
		}
	}
}
