package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// runBench runs accord bench, and returns its exit code and what it prints.
func runBench(t *testing.T, args ...string) (code int, out, stderr string) {
	t.Helper()
	var stdout, told bytes.Buffer
	m := Main{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &told}
	code = m.Run(t.Context(), append([]string{"bench"}, args...))
	return code, stdout.String(), told.String()
}

func measurements(t *testing.T, args ...string) []measurement {
	t.Helper()
	code, out, stderr := runBench(t, append(args, "--output", "json")...)
	if code != exitDone {
		t.Fatalf("bench %v ended with %d: %s", args, code, stderr)
	}
	var all []measurement
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("bench %v printed %q: %v", args, out, err)
	}
	return all
}

func TestBenchRunsItsOwnCluster(t *testing.T) {
	for _, workload := range []string{"append", "zipf", "hot", "transaction", "read"} {
		all := measurements(t, workload, "--nodes", "3", "--memory", "--count", "40", "--duration", "1m", "--warmup", "0", "--concurrency", "1,8", "--streams", "20", "--size", "4KiB")
		if len(all) != 2 || all[0].Concurrency != 1 || all[1].Concurrency != 8 {
			t.Fatalf("%s: got %+v, want a measurement with 1 and one with 8 in flight", workload, all)
		}
		for _, one := range all {
			if one.Workload != workload || one.Done != 40 || len(one.Errors) != 0 || one.Latency.P50 == 0 || one.Bytes != 4096 || len(one.Nodes) != 3 {
				t.Errorf("%s: got %+v", workload, one)
			}
		}
	}
}

func TestBenchTellsWhatNodesDid(t *testing.T) {
	one := measurements(t, "append", "--nodes", "3", "--memory", "--count", "40", "--warmup", "0", "--concurrency", "1")[0] // so that none share a transaction
	var decided, bytes uint64
	for _, n := range one.Nodes {
		decided += n.Fast + n.Slow + n.Recovered
		bytes += n.FrameBytes
		if n.Store != "sqlite" || n.Syncs == 0 || n.Statements == 0 || n.PerSync <= 0 || n.Messages < n.Frames {
			t.Errorf("got %+v", n)
		}
	}
	if decided != 40 {
		t.Errorf("got %d decisions for 40 appends", decided)
	}
	if least := uint64(40 * 2 * 256); bytes < least {
		t.Errorf("got %d bytes sent between nodes, want at least the data twice: %d", bytes, least)
	}
}

func TestBenchMeasuresARunningCluster(t *testing.T) {
	out := startDev(t, "--memory")
	server := serverOf(t, out)
	code, table, stderr := runBench(t, "hot", "--expect", "--server", server, "--count", "30", "--warmup", "0")
	if code != exitDone || !strings.Contains(table, "PER SECOND") || !strings.Contains(table, "n3") {
		t.Errorf("got %d, %q, %q", code, table, stderr)
	}
	code, _, stderr = runBench(t, "--server", server, "--nodes", "3")
	if code != exitUsage || !strings.Contains(stderr, "exclude") {
		t.Errorf("--server with --nodes: got %d, %q", code, stderr)
	}
	code, table, stderr = runBench(t, "--server", server, "--count", "3", "--size", "512KiB")
	if code != exitRefused || !strings.Contains(stderr, "no request succeeded") || !strings.Contains(table, "3 too_large") {
		t.Errorf("where nothing can succeed: got %d, %q, %q", code, table, stderr)
	}
}

func TestBenchUsage(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"}, {"append", "hot"}, {"--size", "big"}, {"--size", "0"}, {"--concurrency", "0"}, {"--concurrency", "2000"},
		{"--connections", "0"}, {"--duration", "0s"}, {"--memory"}, {"--nodes", "9"}, {"--nodes", "3", "--store", "sqlite:a"},
		{"--output", "xml"},
	} {
		if code, _, stderr := runBench(t, args...); code != exitUsage {
			t.Errorf("bench %v ended with %d: %s", args, code, stderr)
		}
	}
}
