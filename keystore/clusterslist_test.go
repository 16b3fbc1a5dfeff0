package keystore

import (
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
)

// shownClusters are what the auditor is told, a line for each cluster and HSM.
func (s *service) shownClusters(req *cloudhsmv1.DescribeClustersRequest) (lines []string) {
	s.t.Helper()
	for {
		res, err := s.DescribeClusters(s.as(auditor), req)
		s.must(err)
		for _, c := range res.Clusters {
			lines = append(lines, c.GetClusterId()+" "+describe.WireName(c.GetState()))
			for _, h := range c.Hsms {
				lines = append(lines, " "+h.GetHsmId()+" "+describe.WireName(h.GetState()))
			}
		}
		if req.NextToken = res.NextToken; req.NextToken == nil {
			return lines
		}
	}
}

// Before a key store is connected its cluster is only known of.
func TestDescribeClusters(t *testing.T) {
	t.Parallel()
	s, clusters := startWithClusters(t, clusterID)
	own := s.pool.Describe()[0]
	mine := []string{own.ClusterID + " ACTIVE", " " + own.HSMID + " ACTIVE"}
	inOrder := func(other ...string) []string {
		if clusterID < own.ClusterID {
			return append(other, mine...)
		}
		return append(slices.Clone(mine), other...)
	}
	if got, want := s.shownClusters(&cloudhsmv1.DescribeClustersRequest{}), inOrder(clusterID+" INITIALIZED"); !slices.Equal(got, want) {
		t.Errorf("before: %q, want %q", got, want)
	}
	s.connectedStore(clusters[0])
	var hsm string
	for id, h := range s.regions.hsms() {
		if id != "" {
			hsm = h.Describe()[0].HSMID
		}
	}
	want := inOrder(clusterID+" ACTIVE", " "+hsm+" ACTIVE")
	for _, page := range []*int32{nil, new(int32(1))} {
		if got := s.shownClusters(&cloudhsmv1.DescribeClustersRequest{MaxResults: page}); !slices.Equal(got, want) {
			t.Errorf("connected: %q, want %q", got, want)
		}
	}
	for name, test := range map[string]struct {
		filters *cloudhsmv1.Filters
		want    int
	}{
		"by id":           {&cloudhsmv1.Filters{ClusterIds: []string{clusterID, "cluster-x"}}, 1},
		"by state":        {&cloudhsmv1.Filters{States: []string{"DEGRADED", "ACTIVE"}}, 2},
		"by both":         {&cloudhsmv1.Filters{ClusterIds: []string{clusterID}, States: []string{"DEGRADED"}}, 0},
		"by VPC":          {&cloudhsmv1.Filters{VpcIds: []string{"vpc-1"}}, 0},
		"by nothing":      {&cloudhsmv1.Filters{}, 2},
		"by another id":   {&cloudhsmv1.Filters{ClusterIds: []string{"cluster-x"}}, 0},
		"by an odd state": {&cloudhsmv1.Filters{States: []string{"active"}}, 0},
	} {
		res, err := s.DescribeClusters(s.as(auditor), &cloudhsmv1.DescribeClustersRequest{Filters: test.filters})
		if err != nil || len(res.Clusters) != test.want {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
	res, err := s.DescribeClusters(s.as(auditor), &cloudhsmv1.DescribeClustersRequest{Filters: &cloudhsmv1.Filters{ClusterIds: []string{clusterID}}})
	s.must(err)
	if got := res.Clusters[0].GetCertificates().GetClusterCertificate(); got != clusters[0].anchor || !strings.Contains(got, "BEGIN CERTIFICATE") {
		t.Errorf("its certificate is %q", got)
	}
}

func TestDescribeClustersRefuses(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for name, test := range map[string]struct {
		principal string
		req       *cloudhsmv1.DescribeClustersRequest
		kind      annotationsv1.ErrorKind
	}{
		"a user of keys":     {app, &cloudhsmv1.DescribeClustersRequest{}, annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED},
		"a token of nowhere": {auditor, &cloudhsmv1.DescribeClustersRequest{NextToken: new("x")}, annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_INVALID_REQUEST},
		"26 clusters":        {auditor, &cloudhsmv1.DescribeClustersRequest{MaxResults: new(int32(26))}, annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_INVALID_REQUEST},
	} {
		_, err := s.DescribeClusters(s.as(test.principal), test.req)
		wantKind(t, name, err, test.kind)
		if e := s.lastEvent(); e.EventName != "DescribeClusters" || e.ErrorCode == "" {
			t.Errorf("%s: the last event is %+v", name, e)
		}
	}
}

// A cluster is as well as its HSMs are.
func TestAClustersStateIsThatOfItsHSMs(t *testing.T) {
	t.Parallel()
	hsm := func(id string, state hsmpool.State, reason string) *cloudhsmv1.Hsm {
		return describeClusterHSM(hsmpool.Status{HSMID: id, ClusterID: clusterID, State: state, Reason: reason})
	}
	for want, hsms := range map[string][]*cloudhsmv1.Hsm{
		"INITIALIZED No connected key store uses it.": nil,
		"ACTIVE ":                                {hsm("hsm-b", hsmpool.Ready, ""), hsm("hsm-a", hsmpool.Ready, "")},
		"DEGRADED 1 of 2 HSMs take no requests.": {hsm("hsm-b", hsmpool.Stopped, "wrong PIN"), hsm("hsm-a", hsmpool.Ready, "")},
		"DEGRADED 1 of 1 HSMs take no requests.": {hsm("hsm-b", hsmpool.Starting, "")},
	} {
		c := &cloudhsmv1.Cluster{Hsms: hsms}
		judgeCluster(c)
		if got := describe.WireName(c.GetState()) + " " + c.GetStateMessage(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if !slices.IsSortedFunc(c.Hsms, func(a, b *cloudhsmv1.Hsm) int { return strings.Compare(a.GetHsmId(), b.GetHsmId()) }) {
			t.Errorf("HSMs out of order: %v", c.Hsms)
		}
	}
	if h := hsm("hsm-a", hsmpool.Stopped, "wrong PIN"); h.GetStateMessage() != "wrong PIN" {
		t.Errorf("why it is stopped: %v", h)
	}
}
