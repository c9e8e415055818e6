package main

import (
	"slices"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	if got := spreadOf([]float64{5, 1, 3}); got != (spread{3, 1, 5}) {
		t.Errorf("got %v", got)
	}
	if got := spreadOf(nil); got != (spread{}) {
		t.Errorf("got %v of nothing", got)
	}
}

// TestQuantile compares with counting: at least the share must not exceed the quantile, and the value before it must not do.
func TestQuantile(t *testing.T) {
	for n := 1; n <= 200; n++ {
		values := make([]time.Duration, n)
		for i := range values {
			values[i] = time.Duration(i / 3)
		}
		for _, share := range []float64{0.5, 0.99, 1} {
			q := quantile(values, share)
			upTo, _ := slices.BinarySearch(values, q+1)
			before, _ := slices.BinarySearch(values, q)
			if float64(upTo) < share*float64(n)-1e-6 || float64(before) >= share*float64(n) {
				t.Errorf("the quantile %g of %d values is %d: %d do not exceed it, %d are less", share, n, q, upTo, before)
			}
		}
	}
	if quantile([]int(nil), 0.5) != 0 {
		t.Error("nothing has a quantile")
	}
}
