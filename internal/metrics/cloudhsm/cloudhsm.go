// Package cloudhsm has the ten metrics that AWS CloudHSM has of each HSM: which they are,
// who can tell them, and how CloudWatch groups them. It has no state, and what nobody can
// tell is absent.
package cloudhsm

import (
	"errors"
	"fmt"
	"math"
)

// The metrics, by AWS's names.
const (
	Unhealthy      = "HsmUnhealthy"
	Temperature    = "HsmTemperature"
	KeysSession    = "HsmKeysSessionOccupied"
	KeysToken      = "HsmKeysTokenOccupied"
	SSLContexts    = "HsmSslCtxsOccupied"
	SessionCount   = "HsmSessionCount"
	UsersAvailable = "HsmUsersAvailable"
	UsersMax       = "HsmUsersMax"
	OctetsInput    = "InterfaceEth2OctetsInput"
	OctetsOutput   = "InterfaceEth2OctetsOutput"
)

// Metric is one of the ten.
type Metric struct {
	// Name is AWS's, Prometheus the one that Prometheus knows it by.
	Name, Prometheus string
	// Unit is one of CloudWatch's.
	Unit string
	// Help says what it is, in a line.
	Help string
	// Counter says that it only grows, for as long as the process runs.
	Counter bool

	// members joins the values of the HSMs of a cluster, clusters those of a Region.
	members, clusters merge
}

// merge makes one value of two.
type merge func(a, b float64) float64

func sum(a, b float64) float64     { return a + b }
func highest(a, b float64) float64 { return max(a, b) }
func lowest(a, b float64) float64  { return min(a, b) }

// Metrics returns the ten, in the order of AWS's documentation. Token keys and users are the
// same at all HSMs of a cluster, so those of a cluster are those of the HSM with the most.
func Metrics() []Metric {
	return []Metric{
		{Unhealthy, "cloudhsm_hsm_unhealthy", "None", "1 unless the HSM takes requests.", false, highest, highest},
		{Temperature, "cloudhsm_hsm_temperature_celsius", "None", "Temperature of the HSM's processor.", false, highest, highest},
		{KeysSession, "cloudhsm_hsm_keys_session_occupied", "Count", "Session keys on the HSM.", false, sum, sum},
		{KeysToken, "cloudhsm_hsm_keys_token_occupied", "Count", "Token keys on the HSM.", false, highest, sum},
		{SSLContexts, "cloudhsm_hsm_ssl_ctxs_occupied", "Count", "Encrypted channels to the HSM that are open.", false, sum, sum},
		{SessionCount, "cloudhsm_hsm_session_count", "Count", "Sessions with the HSM that are open.", false, sum, sum},
		{UsersAvailable, "cloudhsm_hsm_users_available", "Count", "Users that the HSM has room for.", false, lowest, sum},
		{UsersMax, "cloudhsm_hsm_users_max", "Count", "Users that the HSM can have.", false, highest, sum},
		{OctetsInput, "cloudhsm_interface_eth2_octets_input_total", "Bytes", "Bytes that were sent to the HSM.", true, sum, sum},
		{OctetsOutput, "cloudhsm_interface_eth2_octets_output_total", "Bytes", "Bytes that came from the HSM.", true, sum, sum},
	}
}

// maxWhole is up to where a float64 has every whole number.
const maxWhole = 1 << 53

// Check says what is wrong with a value of the metric of that name: temperatures are
// finite, HsmUnhealthy is 0 or 1, and all others count something.
func Check(name string, value float64) error {
	switch name {
	case Temperature:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return fmt.Errorf("%v is no temperature", value)
		}
	case Unhealthy:
		if value != 0 && value != 1 {
			return fmt.Errorf("%v is neither 0 nor 1", value)
		}
	case KeysSession, KeysToken, SSLContexts, SessionCount, UsersAvailable, UsersMax, OctetsInput, OctetsOutput:
		if !(value >= 0 && value <= maxWhole) || value != math.Trunc(value) {
			return fmt.Errorf("%v is not a whole number from 0 to 2^53", value)
		}
	default:
		return errors.New("there is no such metric of CloudHSM")
	}
	return nil
}
