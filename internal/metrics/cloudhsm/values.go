package cloudhsm

import (
	"cmp"
	"slices"

	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// Values returns the metrics as CloudWatch has them: of each HSM (dimensions ClusterId and
// HsmId), of each cluster (ClusterId) and of each Region (Region), in the order of their
// series' keys. Values of several HSMs become one: of the temperature and of HsmUnhealthy the highest,
// of HsmKeysTokenOccupied, HsmUsersMax and HsmUsersAvailable of the same cluster that of the HSM with
// the least room, since they have the same keys and users, and else the sum.
func Values(hsms []HSM) []metric.Value {
	clusters, regions := grouped{}, grouped{}
	var all []metric.Value
	for _, h := range hsms {
		for _, r := range h.Readings {
			all = append(all, value(r.Metric, r.Value, metric.Dimension{Name: "ClusterId", Value: h.ClusterID}, metric.Dimension{Name: "HsmId", Value: h.HSMID}))
			clusters.add(group{metric: r.Metric.Name, region: h.Region, cluster: h.ClusterID}, r.Metric, r.Value, r.Metric.members)
		}
	}
	for at, c := range clusters {
		all = append(all, value(c.metric, c.value, metric.Dimension{Name: "ClusterId", Value: at.cluster}))
		regions.add(group{metric: at.metric, region: at.region}, c.metric, c.value, c.metric.clusters)
	}
	for at, r := range regions {
		all = append(all, value(r.metric, r.value, metric.Dimension{Name: "Region", Value: at.region}))
	}
	slices.SortFunc(all, func(a, b metric.Value) int { return cmp.Compare(a.Series.Key(), b.Series.Key()) })
	return all
}

// group names what values are joined for; the cluster of a Region's is empty.
type group struct{ metric, region, cluster string }

type grouped map[group]joined

type joined struct {
	metric Metric
	value  float64
}

func (g grouped) add(to group, m Metric, value float64, with merge) {
	if so, ok := g[to]; ok {
		value = with(so.value, value)
	}
	g[to] = joined{metric: m, value: value}
}

func value(m Metric, v float64, dimensions ...metric.Dimension) metric.Value {
	return metric.Value{Series: metric.Series{Namespace: metric.CloudHSM, Name: m.Name, Dimensions: dimensions, Unit: m.Unit}, Value: v}
}
