package cloudhsm_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/internal/metrics/cloudhsm"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/metric"
)

// served is a member that takes requests and has figures.
func served() hsmpool.Status {
	return hsmpool.Status{
		HSMID: "hsm-a", ClusterID: "cluster-a", Profile: "pkcs11", State: hsmpool.Ready, WorkerPID: 7, Sessions: 6,
		Figures: hsmpool.Figures{At: time.Unix(1, 0), SessionKeys: 2, TokenKeys: 40, OctetsIn: 1000, OctetsOut: 500},
	}
}

// Each value has its source, and what nobody tells is absent.
func TestSources(t *testing.T) {
	service := cloudhsm.Service{Principals: 24, Channels: 3}
	const octets = " InterfaceEth2OctetsInput=1000(worker) InterfaceEth2OctetsOutput=500(worker)"
	tests := []struct {
		name   string
		change func(*hsmpool.Status)
		told   map[string]float64
		want   string
	}{
		{"a token that says nothing of sessions", func(*hsmpool.Status) {}, nil,
			"HsmUnhealthy=0(worker) HsmKeysSessionOccupied=2(worker) HsmKeysTokenOccupied=40(worker) HsmSessionCount=6(worker)" + octets},
		{"one that does", func(s *hsmpool.Status) { s.Figures.TokenSessions = 9 }, nil,
			"HsmUnhealthy=0(worker) HsmKeysSessionOccupied=2(worker) HsmKeysTokenOccupied=40(worker) HsmSessionCount=9(token)" + octets},
		{"SoftHSM", func(s *hsmpool.Status) { s.Profile = "softhsm" }, nil,
			"HsmUnhealthy=0(worker) HsmKeysSessionOccupied=2(worker) HsmKeysTokenOccupied=40(worker) HsmSslCtxsOccupied=3(emulated) HsmSessionCount=6(worker) HsmUsersAvailable=1000(emulated) HsmUsersMax=1024(emulated)" + octets},
		{"an operator who knows better", func(s *hsmpool.Status) { s.Profile = "softhsm" },
			map[string]float64{"HsmTemperature": 41.5, "HsmUsersMax": 250, "HsmSessionCount": 12, "HsmUnhealthy": 1},
			"HsmUnhealthy=1(operator) HsmTemperature=41.5(operator) HsmKeysSessionOccupied=2(worker) HsmKeysTokenOccupied=40(worker) HsmSslCtxsOccupied=3(emulated) HsmSessionCount=12(operator) HsmUsersAvailable=1000(emulated) HsmUsersMax=250(operator)" + octets},
		{"an operator who says that an HSM that does not serve is well", func(s *hsmpool.Status) { s.State = hsmpool.Suspended },
			map[string]float64{"HsmUnhealthy": 0, "HsmSessionCount": 12},
			"HsmUnhealthy=1(worker) HsmKeysSessionOccupied=2(worker) HsmKeysTokenOccupied=40(worker) HsmSessionCount=12(operator)" + octets},
		{"no worker", func(s *hsmpool.Status) { s.State, s.WorkerPID = hsmpool.Starting, 0 }, nil, "HsmUnhealthy=1(worker)" + octets},
		{"a worker that is only probed", func(s *hsmpool.Status) { s.State = hsmpool.Suspended }, nil,
			"HsmUnhealthy=1(worker) HsmKeysSessionOccupied=2(worker) HsmKeysTokenOccupied=40(worker) HsmSessionCount=6(worker)" + octets},
		{"no report so far", func(s *hsmpool.Status) { s.Figures = hsmpool.Figures{} }, nil, "HsmUnhealthy=0(worker)"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := served()
			tc.change(&s)
			var got []string
			for _, r := range cloudhsm.Read(keystore.Member{Status: s}, tc.told, service).Readings {
				got = append(got, fmt.Sprintf("%s=%v(%s)", r.Metric.Name, r.Value, r.Source))
			}
			if diff := cmp.Diff(strings.Fields(tc.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMoreUsersThanAnHSMHas(t *testing.T) {
	s := served()
	s.Profile = "softhsm"
	for _, r := range cloudhsm.Read(keystore.Member{Status: s}, nil, cloudhsm.Service{Principals: 2000}).Readings {
		if r.Metric.Name == cloudhsm.UsersAvailable && r.Value != 0 {
			t.Errorf("%v users more are possible", r.Value)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name  string
		value float64
		words string // empty: it is good
	}{
		{cloudhsm.Temperature, 41.5, ""},
		{cloudhsm.Temperature, -10, ""},
		{cloudhsm.Temperature, math.NaN(), "no temperature"},
		{cloudhsm.Temperature, math.Inf(1), "no temperature"},
		{cloudhsm.Unhealthy, 1, ""},
		{cloudhsm.Unhealthy, 0.5, "neither 0 nor 1"},
		{cloudhsm.SessionCount, 0, ""},
		{cloudhsm.SessionCount, -1, "not a whole number"},
		{cloudhsm.KeysToken, 1.5, "not a whole number"},
		{cloudhsm.KeysSession, math.NaN(), "not a whole number"},
		{cloudhsm.OctetsInput, 1 << 53, ""},
		{cloudhsm.OctetsOutput, 1 << 54, "not a whole number"},
		{"HsmHumidity", 1, "no such metric"},
	} {
		err := cloudhsm.Check(tc.name, tc.value)
		if (err == nil) != (tc.words == "") || err != nil && !strings.Contains(err.Error(), tc.words) {
			t.Errorf("%s %v: %v, want %q", tc.name, tc.value, err, tc.words)
		}
	}
	for _, m := range cloudhsm.Metrics() {
		if err := cloudhsm.Check(m.Name, 1); err != nil {
			t.Errorf("%s 1: %v", m.Name, err)
		}
	}
}

// Two clusters in a Region, one of two HSMs, and one elsewhere.
func TestGroups(t *testing.T) {
	hsm := func(id, cluster, region string, told map[string]float64) cloudhsm.HSM {
		return cloudhsm.Read(keystore.Member{Region: region, Status: hsmpool.Status{HSMID: id, ClusterID: cluster, State: hsmpool.Ready}}, told, cloudhsm.Service{})
	}
	got := map[string]float64{}
	for _, v := range cloudhsm.Values([]cloudhsm.HSM{
		hsm("h1", "c1", "r1", map[string]float64{"HsmTemperature": 40, "HsmKeysTokenOccupied": 10, "HsmUsersAvailable": 7, "HsmSessionCount": 2}),
		hsm("h2", "c1", "r1", map[string]float64{"HsmTemperature": 60, "HsmKeysTokenOccupied": 11, "HsmUsersAvailable": 8, "HsmSessionCount": 3, "HsmUnhealthy": 1}),
		hsm("h3", "c2", "r1", map[string]float64{"HsmTemperature": 50, "HsmKeysTokenOccupied": 5, "HsmUsersAvailable": 1, "HsmSessionCount": 4}),
		hsm("h4", "c3", "r2", map[string]float64{"HsmSessionCount": 100}),
	}) {
		name := v.Series.Name
		for _, d := range v.Series.Dimensions {
			name += " " + d.Value
		}
		got[name] = v.Value
	}
	want := map[string]float64{
		"HsmTemperature c1 h1": 40, "HsmTemperature c1 h2": 60, "HsmTemperature c2 h3": 50,
		"HsmTemperature c1": 60, "HsmTemperature c2": 50, "HsmTemperature r1": 60,
		"HsmKeysTokenOccupied c1 h1": 10, "HsmKeysTokenOccupied c1 h2": 11, "HsmKeysTokenOccupied c2 h3": 5,
		"HsmKeysTokenOccupied c1": 11, "HsmKeysTokenOccupied c2": 5, "HsmKeysTokenOccupied r1": 16,
		"HsmUsersAvailable c1 h1": 7, "HsmUsersAvailable c1 h2": 8, "HsmUsersAvailable c2 h3": 1,
		"HsmUsersAvailable c1": 7, "HsmUsersAvailable c2": 1, "HsmUsersAvailable r1": 8,
		"HsmSessionCount c1 h1": 2, "HsmSessionCount c1 h2": 3, "HsmSessionCount c2 h3": 4, "HsmSessionCount c3 h4": 100,
		"HsmSessionCount c1": 5, "HsmSessionCount c2": 4, "HsmSessionCount c3": 100, "HsmSessionCount r1": 9, "HsmSessionCount r2": 100,
		"HsmUnhealthy c1 h1": 0, "HsmUnhealthy c1 h2": 1, "HsmUnhealthy c2 h3": 0, "HsmUnhealthy c3 h4": 0,
		"HsmUnhealthy c1": 1, "HsmUnhealthy c2": 0, "HsmUnhealthy c3": 0, "HsmUnhealthy r1": 1, "HsmUnhealthy r2": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each series is there once, in the order of the keys, and what an HSM tells is in one of
// each grouping.
func TestEachSeriesIsThereOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hsms []cloudhsm.HSM
		for i := range rapid.IntRange(0, 12).Draw(t, "hsms") {
			s := served()
			s.HSMID = fmt.Sprintf("hsm-%d", i)
			s.ClusterID = rapid.SampledFrom([]string{"cluster-a", "cluster-b", "cluster-c"}).Draw(t, "cluster")
			region := map[string]string{"cluster-a": "r1", "cluster-b": "r1", "cluster-c": "r2"}[s.ClusterID]
			hsms = append(hsms, cloudhsm.Read(keystore.Member{Status: s, Region: region}, nil, cloudhsm.Service{}))
		}
		groups, last := map[string]int{}, ""
		for _, v := range cloudhsm.Values(hsms) {
			if key := v.Series.Key(); key <= last {
				t.Fatalf("%q stands behind %q", key, last)
			} else {
				last = key
			}
			if v.Series.Name == cloudhsm.OctetsInput {
				groups[shape(v.Series)] += int(v.Value)
			}
		}
		for _, grouping := range []string{"Region", "ClusterId", "ClusterId HsmId"} {
			if groups[grouping] != 1000*len(hsms) {
				t.Fatalf("%d octets in the series by %s, of %d HSMs with 1000", groups[grouping], grouping, len(hsms))
			}
		}
	})
}

// shape is the names of the dimensions.
func shape(s metric.Series) string {
	var names []string
	for _, d := range s.Dimensions {
		names = append(names, d.Name)
	}
	return strings.Join(names, " ")
}
