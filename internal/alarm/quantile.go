package alarm

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// bucketLabel has the upper bound of a histogram's bucket.
const bucketLabel = "le"

// Quantile is below what the share q of a histogram's observations are, 0 < q < 1. The
// vector is of its buckets and has their label le.
func Quantile(q float64, buckets Vector) Vector { return quantile{q, buckets} }

type quantile struct {
	q  float64
	of Vector
}

// PromQL prints the vector.
func (v quantile) PromQL() string {
	return fmt.Sprintf("histogram_quantile(%s, %s)", number(v.q), v.of.PromQL())
}

func (v quantile) reads(need func(string, time.Duration)) { v.of.reads(need) }

func (v quantile) at(h *history) (result []sample) {
	histograms, order := map[string][]bucket{}, []labels(nil)
	for _, s := range v.of.at(h) {
		bound, err := strconv.ParseFloat(s.labels[bucketLabel], 64)
		if err != nil {
			continue
		}
		rest := s.labels.without(bucketLabel)
		if _, known := histograms[rest.key()]; !known {
			order = append(order, rest)
		}
		histograms[rest.key()] = append(histograms[rest.key()], bucket{bound, s.value})
	}
	for _, l := range order {
		result = append(result, sample{l, below(v.q, histograms[l.key()])})
	}
	return result
}

// bucket counts the observations that are at most bound.
type bucket struct{ bound, count float64 }

// below estimates the quantile: within its bucket, observations are taken to lie evenly,
// and above the last bound that is a number nothing is known. It is no number if there
// are no observations.
func below(q float64, buckets []bucket) float64 {
	slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
	buckets = rising(buckets)
	last := len(buckets) - 1
	if last < 1 || !math.IsInf(buckets[last].bound, 1) || buckets[last].count == 0 {
		return math.NaN()
	}
	rank := q * buckets[last].count
	i, _ := slices.BinarySearchFunc(buckets[:last], rank, func(b bucket, rank float64) int { return cmp.Compare(b.count, rank) })
	if i == last {
		return buckets[last-1].bound
	}
	if i == 0 && buckets[0].bound <= 0 {
		return buckets[0].bound
	}
	var low bucket // from 0 on
	if i > 0 {
		low = buckets[i-1]
	}
	return low.bound + (buckets[i].bound-low.bound)*(rank-low.count)/(buckets[i].count-low.count)
}

// rising returns buckets that count no less than those below them. Extrapolation may have made
// them so.
func rising(buckets []bucket) []bucket {
	for i := 1; i < len(buckets); i++ {
		buckets[i].count = max(buckets[i].count, buckets[i-1].count)
	}
	return buckets
}

// number prints a number as PromQL has it.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
