package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/internal/metrics/cloudhsm"
)

// parse returns the values that are good, and an error that joins what is wrong with the
// others. An answer that is no JSON object has no values.
func parse(text []byte, at time.Time) (report, error) {
	var told map[string]json.RawMessage
	if err := json.Unmarshal(text, &told); err != nil {
		return report{}, fmt.Errorf("the answer is not a JSON object: %w", err)
	}
	if told == nil {
		return report{}, errors.New("the answer is not a JSON object: it is null")
	}
	r := report{at: at, values: map[string]float64{}}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(told)) {
		value, err := number(told[name])
		if err == nil {
			err = cloudhsm.Check(name, value)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%.40q: %w", name, err))
			continue
		}
		r.values[name] = value
	}
	return r, errors.Join(faults...)
}

func number(text json.RawMessage) (float64, error) {
	var value *float64
	if err := json.Unmarshal(text, &value); err != nil || value == nil {
		return 0, errors.New("it is not a number")
	}
	return *value, nil
}
