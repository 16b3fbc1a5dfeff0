package devserver

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/internal/config"
)

const clusterID = "cluster-aaaaaaaaaaa"

func TestClustersAreInTheConfiguration(t *testing.T) {
	o := options(t)
	o.WorkerEnv = map[string]string{"A": "b"}
	o.Clusters = []ClusterOptions{
		{ID: clusterID, RequestsPerSecond: 1800},
		{ID: "cluster-bbbbbbbbbbb", RelatedTo: clusterID},
		{ID: "cluster-ccccccccccc"},
	}
	s := mustPrepare(t, o)
	c, err := s.config(o)
	if err != nil {
		t.Fatal(err)
	}
	dir := s.path("clusters/" + clusterID)
	want := config.Cluster{
		ID: clusterID,
		Device: config.Device{
			Library: o.Library, Token: config.Token{Label: clusterID}, Profile: "softhsm",
			Env: map[string]string{"SOFTHSM2_CONF": dir + "/softhsm2.conf", "A": "b"},
		},
		TrustAnchor: dir + "/ca.pem", RequestsPerSecond: 1800,
	}
	if diff := cmp.Diff(want, c.Clusters[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	anchors, err := c.TrustAnchors()
	if err != nil || anchors[0] != anchors[1] || anchors[0] == anchors[2] {
		t.Errorf("trust anchors %q, %v; want that of the first for the second, and another for the third", anchors, err)
	}
	password, err := os.ReadFile(s.Clusters[0].Password)
	if err != nil || !regexp.MustCompile(`^[A-Za-z0-9]{7,32}\n$`).Match(password) {
		t.Errorf("%q is no password of a key store: %v", password, err)
	}
}

func TestClustersThatCannotBe(t *testing.T) {
	for name, c := range map[string]ClusterOptions{
		"outside the directory": {ID: "../cluster-aaaaaaaaaaa"},
		"no id":                 {},
		"unknown relation":      {ID: clusterID, RelatedTo: "cluster-bbbbbbbbbbb"},
		"relation to itself":    {ID: clusterID, RelatedTo: clusterID},
	} {
		o := options(t)
		o.Clusters = []ClusterOptions{c}
		if _, err := prepare(o); err == nil {
			t.Errorf("%s: prepared", name)
		}
	}
}

// TestUnfinishedTokensAreClearedUnlessThereMayBeKeys looks at what a start does before
// it initialises a token, which it cannot here without a library.
func TestUnfinishedTokensAreClearedUnlessThereMayBeKeys(t *testing.T) {
	const initialises, refuses = "initialising the token", "not making a new token over keys"
	for _, tc := range []struct {
		name                     string
		cluster, metadata, begun bool
		want                     string
	}{
		{"first start", false, false, false, initialises},
		{"cut off in the first start", false, false, true, initialises},
		{"note lost", false, true, true, refuses},
		{"note and token lost", false, true, false, refuses},
		{"first start, cluster", true, false, false, initialises},
		{"cut off in the first start, cluster", true, false, true, initialises},
		{"directory without the cluster so far", true, true, false, initialises},
		{"note lost, cluster", true, true, true, refuses},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options(t)
			o.Clusters = []ClusterOptions{{ID: clusterID}}
			s := mustPrepare(t, o)
			s.library = ""
			unfinished := s.token
			if tc.cluster {
				unfinished = s.Clusters[0].token
				touch(t, s.token.path("token"))
			}
			half := unfinished.path("tokens/half")
			if tc.begun {
				touch(t, half)
			}
			if tc.metadata {
				touch(t, s.path("metadata.db"))
			}
			err := s.initTokens(t.Context(), nil, hclog.NewNullLogger())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want that it says %q", err, tc.want)
			}
			if left := tc.begun && tc.want == refuses; exists(half) != left {
				t.Errorf("what was begun is left: %v, want %v", !left, left)
			}
		})
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(filepath.Clean(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
