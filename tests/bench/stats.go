package main

import (
	"cmp"
	"slices"
	"time"
)

// spread is a median, and between what it was found.
type spread struct{ middle, least, most float64 }

// spreadOf returns the spread of some values; of none it is zero.
func spreadOf(values []float64) (s spread) {
	if len(values) == 0 {
		return s
	}
	sorted := slices.Sorted(slices.Values(values))
	return spread{sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1]}
}

// quantile returns the smallest of sorted values that at least a share of them do not exceed; of none zero.
func quantile[T cmp.Ordered](sorted []T, share float64) (q T) {
	if len(sorted) == 0 {
		return q
	}
	i := int(share*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// inMS are milliseconds.
func inMS(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
