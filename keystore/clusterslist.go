package keystore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
)

// maxClusters is how many clusters a page has at most, and if the request does not say.
const maxClusters = 25

// DescribeClusters answers the clusters that key stores use, or could use. HSMs serve
// all Regions, so that each answers the same.
func (k *Keystore) DescribeClusters(ctx context.Context, req *cloudhsmv1.DescribeClustersRequest) (*cloudhsmv1.DescribeClustersResponse, error) {
	return perform(ctx, k, cloudhsmv1.CloudHsmService_DescribeClusters_FullMethodName, req, plan[*cloudhsmv1.DescribeClustersResponse]{
		run: func(context.Context, *proof) (*cloudhsmv1.DescribeClustersResponse, error) {
			of, behind := k.selectionOf(req), ""
			if token := req.GetNextToken(); token != "" {
				var ok bool
				if behind, ok = of.place(token); !ok {
					return nil, errorf(annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_INVALID_REQUEST, "The next token is not one that was answered to the same filters.")
				}
			}
			all := slices.DeleteFunc(k.describeClusters(), func(c *cloudhsmv1.Cluster) bool { return !passes(req.GetFilters(), c) })
			page, more := pageBehind(all, (*cloudhsmv1.Cluster).GetClusterId, behind, logLimit(req.MaxResults, maxClusters))
			res := &cloudhsmv1.DescribeClustersResponse{Clusters: page}
			if more {
				res.NextToken = new(of.token(page[len(page)-1].GetClusterId()))
			}
			return res, nil
		},
	})
}

// passes says whether a cluster passes all filters that there are. No cluster is known
// to be in a VPC.
func passes(f *cloudhsmv1.Filters, c *cloudhsmv1.Cluster) bool {
	one := func(values []string, value string) bool { return len(values) == 0 || slices.Contains(values, value) }
	return one(f.GetClusterIds(), c.GetClusterId()) && one(f.GetStates(), describe.WireName(c.GetState())) && len(f.GetVpcIds()) == 0
}

// describeClusters describes all clusters in the order of their ids: those whose HSMs
// are in use, and those of the configuration.
func (k *Keystore) describeClusters() []*cloudhsmv1.Cluster {
	byID := map[string]*cloudhsmv1.Cluster{}
	of := func(id string) *cloudhsmv1.Cluster {
		if byID[id] == nil {
			byID[id] = &cloudhsmv1.Cluster{ClusterId: &id}
		}
		return byID[id]
	}
	for _, c := range k.clusters {
		if pem := c.TrustAnchor(); pem != "" {
			of(c.ID()).Certificates = &cloudhsmv1.Certificates{ClusterCertificate: &pem}
		} else {
			of(c.ID())
		}
	}
	for _, hsms := range k.regions.hsms() {
		for _, s := range hsms.Describe() {
			if s.HSMID != "" && s.ClusterID != "" { // not before its token has been seen
				c := of(s.ClusterID)
				c.Hsms = append(c.Hsms, describeClusterHSM(s))
			}
		}
	}
	var all []*cloudhsmv1.Cluster
	for _, c := range byID {
		judgeCluster(c)
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *cloudhsmv1.Cluster) int { return cmp.Compare(a.GetClusterId(), b.GetClusterId()) })
	return all
}

// describeClusterHSM describes an HSM, which is active when it takes requests.
func describeClusterHSM(s hsmpool.Status) *cloudhsmv1.Hsm {
	h := &cloudhsmv1.Hsm{ClusterId: &s.ClusterID, HsmId: &s.HSMID, State: cloudhsmv1.HsmState_HSM_STATE_ACTIVE.Enum()}
	if s.State != hsmpool.Ready {
		h.State, h.StateMessage = cloudhsmv1.HsmState_HSM_STATE_DEGRADED.Enum(), new(cmp.Or(s.Reason, s.State.String()))
	}
	return h
}

// judgeCluster says in which state a cluster is, by its HSMs, which it puts in order.
func judgeCluster(c *cloudhsmv1.Cluster) {
	slices.SortFunc(c.Hsms, func(a, b *cloudhsmv1.Hsm) int { return cmp.Compare(a.GetHsmId(), b.GetHsmId()) })
	away := 0
	for _, h := range c.Hsms {
		if h.GetState() != cloudhsmv1.HsmState_HSM_STATE_ACTIVE {
			away++
		}
	}
	switch {
	case len(c.Hsms) == 0:
		c.State = cloudhsmv1.ClusterState_CLUSTER_STATE_INITIALIZED.Enum()
		c.StateMessage = new("No connected key store uses it.")
	case away == 0:
		c.State = cloudhsmv1.ClusterState_CLUSTER_STATE_ACTIVE.Enum()
	default:
		c.State = cloudhsmv1.ClusterState_CLUSTER_STATE_DEGRADED.Enum()
		c.StateMessage = new(fmt.Sprintf("%d of %d HSMs take no requests.", away, len(c.Hsms)))
	}
}
