package cloudhsm

import (
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/keystore"
)

// Source is who told a value.
type Source string

// Who tells values.
const (
	// Token: the token was asked (CK_TOKEN_INFO).
	Token Source = "token"
	// Worker: it was counted where the PKCS#11 library is called.
	Worker Source = "worker"
	// Emulated: this service stands in for an HSM, SoftHSM, that has nothing of the kind.
	Emulated Source = "emulated"
	// Operator: a source of the operator's told it (package telemetry).
	Operator Source = "operator"
)

// maxUsers is how many users an HSM of CloudHSM can have.
const maxUsers = 1024

// Service is what stands in for the users and the channels of an HSM that has none.
type Service struct {
	// Principals are its users.
	Principals int
	// Channels are the TLS connections that it has open.
	Channels int
}

// Reading is the value of a metric.
type Reading struct {
	Metric Metric
	Value  float64
	Source Source
}

// HSM is an HSM with what is known of the ten, in their order.
type HSM struct {
	keystore.Member
	Readings []Reading
}

// Read returns what is known of an HSM. What an operator's source has told, by the names of
// metrics, goes before all else; but one that does not take requests is unhealthy, however well
// it is by itself.
func Read(m keystore.Member, told map[string]float64, s Service) HSM {
	known := counted(m.Status)
	if m.Profile == ckr.ProfileSoftHSM {
		known.emulate(s)
	}
	for name, value := range told {
		if name != Unhealthy || value >= known[Unhealthy].Value {
			known.add(name, value, Operator)
		}
	}
	h := HSM{Member: m, Readings: make([]Reading, 0, len(known))}
	for _, metric := range Metrics() {
		if r, ok := known[metric.Name]; ok {
			h.Readings = append(h.Readings, Reading{Metric: metric, Value: r.Value, Source: r.Source})
		}
	}
	return h
}

// values are readings by the names of metrics.
type values map[string]Reading

func (v values) add(name string, value float64, source Source) {
	v[name] = Reading{Value: value, Source: source}
}

// counted is what the worker and the token tell. While there is no worker nobody knows
// about sessions and keys, but what has gone through so far is known.
func counted(s hsmpool.Status) values {
	v := make(values, 10)
	v.add(Unhealthy, 1, Worker)
	if s.State == hsmpool.Ready {
		v.add(Unhealthy, 0, Worker)
	}
	if s.Figures.At.IsZero() {
		return v
	}
	v.add(OctetsInput, float64(s.Figures.OctetsIn), Worker)
	v.add(OctetsOutput, float64(s.Figures.OctetsOut), Worker)
	if s.WorkerPID == 0 {
		return v
	}
	v.add(KeysSession, float64(s.Figures.SessionKeys), Worker)
	v.add(KeysToken, float64(s.Figures.TokenKeys), Worker)
	v.add(SessionCount, float64(s.Sessions), Worker)
	if n := s.Figures.TokenSessions; n > 0 {
		v.add(SessionCount, float64(n), Token)
	}
	return v
}

func (v values) emulate(s Service) {
	v.add(UsersMax, maxUsers, Emulated)
	v.add(UsersAvailable, float64(max(0, maxUsers-s.Principals)), Emulated)
	v.add(SSLContexts, float64(s.Channels), Emulated)
}
