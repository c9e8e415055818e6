package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestFloor measures everything a few times, in a directory that is not there yet.
func TestFloor(t *testing.T) {
	var out bytes.Buffer
	s, err := parseFloor([]string{"-count", "3", "-dir", filepath.Join(t.TempDir(), "new")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(out.String(), "\n| "); rows != 8 || !strings.Contains(out.String(), "of 3 each") || !strings.Contains(out.String(), "an append is ") {
		t.Errorf("got %d rows of a table, want a head, a line and 6 steps:\n%s", rows, out.String())
	}
}

func TestFloorReport(t *testing.T) {
	steps := make([]*step, stepSyncs+1)
	for i, us := range []float64{stepAppend: 1000, stepRoundTrip: 100, stepSync: 200, stepApply: 100, stepPeers: 150, stepSyncs: 250} {
		steps[i] = &step{name: "s", times: []float64{us, 9999, us - 1}}
	}
	var out bytes.Buffer
	if err := floorReport(&out, steps); err != nil {
		t.Fatal(err)
	}
	if want := "an append is 2.50 × (round trip + sync + apply), which is 400 µs; with the round trip between nodes, and three journals on this disk, 1.67 × 600 µs"; !strings.Contains(out.String(), want) {
		t.Errorf("got %s, want %s", out.String(), want)
	}
}
