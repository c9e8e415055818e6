package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestFaultsAreMeasured lets every fault happen as briefly as can be.
func TestFaultsAreMeasured(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "faults.svg")
	s, err := parseFaults([]string{"-rate=100", "-calm=300ms", "-down=500ms", "-pause=500ms", "-settle=300ms", "-missed=500", "-rounds=1", "-out=" + picture})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.run(t.Context(), &out); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	for _, phase := range []string{"all up", "killed", "started", "paused", "continued", "missing", "catching up"} {
		_, row, found := strings.Cut(out.String(), "\n| "+phase+" |")
		row, _, _ = strings.Cut(row, "\n")
		if cells := strings.Split(row, "|"); !found || len(cells) != 9 || strings.TrimSpace(cells[1]) == "0" || strings.TrimSpace(cells[6]) != "0" {
			t.Errorf("%s: got %q, want appends and no errors:\n%s", phase, row, &out)
		}
	}
	if n := strings.Count(out.String(), "n3 answered after"); n != 3 {
		t.Errorf("the node came back %d times, want after each fault:\n%s", n, &out)
	}
	svg, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if lines, shaded := elements(t, svg, "polyline"), elements(t, svg, "rect"); len(lines) != 4 || len(shaded) != 1+2*3 {
		t.Errorf("the picture has %d lines and %d areas, want 4, and the ground and 3 faults in each of two panels", len(lines), len(shaded))
	}
}

const milli = time.Millisecond

// TestEvaluate has appends before, in and behind a fault.
func TestEvaluate(t *testing.T) {
	phases := []phase{{name: "all up", to: 1000 * milli}, {name: "killed", from: 1000 * milli, to: 2000 * milli, fault: true}, {name: "all up", from: 2000 * milli, to: 3000 * milli, round: 1}}
	answers := []answer{
		{at: 100 * milli, took: 10 * milli},
		{at: 900 * milli, took: 20 * milli, via: victim},
		{at: 990 * milli, took: 400 * milli},                                // was under way when the node was killed
		{at: 995 * milli, took: 3000 * milli, via: victim},                  // was asked of the node that was killed
		{at: 996 * milli, took: 4000 * milli, via: victim, kind: "unknown"}, // the same, and nobody knows
		{at: 1500 * milli, took: 30 * milli},
		{at: 1900 * milli, took: 5 * milli, kind: "no_quorum"},
		{at: 1995 * milli, took: 40 * milli}, // a node that comes back is no fault
		{at: 2500 * milli, took: 50 * milli, via: victim},
		{at: 3500 * milli, took: 60 * milli}, // nothing is told of then
	}
	got := evaluate(phases, answers)
	want := []*fared{
		{name: "all up", lasted: 2 * time.Second, requested: 3, took: []time.Duration{10 * milli, 20 * milli, 50 * milli}, gap: 810 * milli, errors: map[string]int{}},
		{
			name: "killed", fault: true, lasted: time.Second, requested: 6, took: []time.Duration{30 * milli, 40 * milli, 400 * milli},
			left: []time.Duration{3000 * milli}, leftLost: 1, gap: 470 * milli, errors: map[string]int{"no_quorum": 1},
		},
	}
	if !reflect.DeepEqual(got, want) {
		for i := range got {
			t.Errorf("got %+v", *got[i])
		}
		t.Errorf("want %+v and %+v", *want[0], *want[1])
	}
	if got[1].leftBehind() != "2, up to 3000 ms, 1 failed" || kinds(got[1].errors) != "1 no_quorum" || got[0].leftBehind() != "–" {
		t.Errorf("said %q and %q", got[1].leftBehind(), kinds(got[1].errors))
	}
}

// TestPictureOfFaults: what was left at a node that was killed does not make others look slow.
func TestPictureOfFaults(t *testing.T) {
	p := &faultPlay{phases: []phase{{to: 1000 * milli}, {from: 1000 * milli, to: 2000 * milli, fault: true}, {from: 2000 * milli, to: 9000 * milli, round: 1}}, answers: []answer{
		{at: 950 * milli, took: 10 * milli}, {at: 960 * milli, took: 30 * milli}, {at: 970 * milli, took: 500 * milli, via: victim}, {at: 1210 * milli, took: 7 * milli}, {at: 8000 * milli, took: 900 * milli},
	}}
	lines := p.latencies(2000 * milli)
	if got, want := lines[0].points, []point{{0.9, 30, 30, 30}, {1.2, 7, 7, 7}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the longest are %v, want %v", got, want)
	}
	if got := p.acknowledged(2000 * milli).points; got[9].y != 20 || got[12].y != 10 || got[14].y != 10 {
		t.Errorf("acknowledged were %v", got)
	}
}

func TestBadFaultSettings(t *testing.T) {
	for _, args := range [][]string{{"-through=nobody"}, {"-rate=0"}, {"-hot=101"}, {"-missed=-1"}, {"-size=3"}, {"-pause=0s"}, {"-rounds=0"}, {"-streams=0"}} {
		if _, err := parseFaults(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
