package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"natsaccord/client/load"
)

// TestSteadyIsMeasured looks for a moment: whether anything levels off, it does not tell.
func TestSteadyIsMeasured(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "hour.svg")
	s, err := parseSteady([]string{"-length=1500ms", "-every=100ms", "-out=" + picture})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = s.run(t.Context(), &out)
	if !strings.Contains(out.String(), " 0 failed") || !strings.Contains(out.String(), "| memory of three nodes, MiB |") {
		t.Errorf("got %v: %s", err, &out)
	}
	svg, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if lines := elements(t, svg, "polyline"); len(lines) != 2*clusterSize+1 {
		t.Errorf("the picture has %d lines, want two of each node and one of the log", len(lines))
	}
}

// held makes looks of which a third each is alike.
func held(memory, txns [thirds]float64) (looks []look) {
	for i := range memory {
		for range 5 {
			at := time.Duration(len(looks)) * time.Minute
			looks = append(looks, look{at: at, memory: []float64{memory[i], 10, 10}, txns: []float64{1, txns[i], 1}, events: float64(len(looks))})
		}
	}
	return looks
}

// TestGrowthIsReported: what is not over must not be said to have levelled off.
func TestGrowthIsReported(t *testing.T) {
	failed := load.Result{Done: 10, Failed: map[string]uint64{"unknown": 1}}
	for _, test := range []struct {
		name         string
		memory, txns [thirds]float64
		result       load.Result
		want         string
	}{
		{"level", [thirds]float64{100, 200, 205}, [thirds]float64{10, 20, 19}, load.Result{Done: 10}, ""},
		{"memory grows", [thirds]float64{100, 200, 300}, [thirds]float64{10, 20, 20}, load.Result{Done: 10}, "memory"},
		{"rows grow", [thirds]float64{100, 200, 200}, [thirds]float64{10, 20, 30}, load.Result{Done: 10}, "accord_txn"},
		{"appends fail", [thirds]float64{100, 200, 200}, [thirds]float64{10, 20, 20}, failed, "1 appends failed"},
	} {
		var out bytes.Buffer
		err := steady{rate: 10, retention: 2 * time.Second}.report(&out, held(test.memory, test.txns), test.result)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

func TestSteadySettingsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-rate=0"}, {"-length=10s"}, {"-every=0s"}, {"-streams=0"}, {"-size=1"}, {"-retention=0s"}, {"-nonsense"}} {
		if _, err := parseSteady(args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
