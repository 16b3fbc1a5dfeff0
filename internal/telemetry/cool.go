package telemetry

import (
	"fmt"

	"github.com/strongroom-kms/strongroom/internal/metrics/cloudhsm"
)

const temperatureMetric = cloudhsm.Temperature

// cool takes an HSM out of service at its limit, and into service again when it is cooler by the
// hysteresis. In between it stays what it is. One whose source falls silent stays out of
// service.
func (t *Telemetry) cool(s *source, temperature float64) {
	switch {
	case s.tooHot == "" && temperature < s.MaxTemperature:
	case s.tooHot != "" && temperature <= s.MaxTemperature-hysteresis:
		s.tooHot = ""
		if err := t.hsms.Restore(s.HSMID); err != nil {
			t.log.Debug("an HSM has cooled down that is not in use", "error", err)
		}
	default:
		if s.tooHot == "" {
			s.tooHot = fmt.Sprintf("its temperature is %v °C, and its limit %v °C; it serves again at %v °C",
				temperature, s.MaxTemperature, s.MaxTemperature-hysteresis)
		}
		t.withdraw(s)
	}
}

// withdraw takes an HSM that is too hot out of service, again and again: it may have been
// connected anew.
func (t *Telemetry) withdraw(s *source) {
	if s.tooHot == "" {
		return
	}
	if err := t.hsms.Withdraw(s.HSMID, s.tooHot); err != nil {
		t.log.Debug("an HSM is too hot that is not in use", "error", err)
	}
}
