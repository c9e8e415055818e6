package main

import (
	"strings"
	"testing"
)

// TestFastQuorumIsForEver starts a cluster in which four of five decide, and again with all five: its databases are
// another cluster's then.
func TestFastQuorumIsForEver(t *testing.T) {
	dir := t.TempDir()
	t.Run("four", func(t *testing.T) {
		server := serverOf(t, startDev(t, "--nodes", "5", "--fast-quorum", "4", "--dir", dir))
		if code, out := run(t, "append", "account.x", `{"n":1}`, "--server", server); code != exitDone {
			t.Errorf("append: got %d, %q", code, out)
		}
	})
	if code, out := run(t, "dev", "--nodes", "5", "--dir", dir); code == exitDone || !strings.Contains(out, "belongs to another node") {
		t.Errorf("got %d, %q, want the databases refused", code, out)
	}
}

func TestFastQuorumMustBeLegal(t *testing.T) {
	for _, args := range [][]string{
		{"dev", "--nodes", "5", "--fast-quorum", "3"},
		{"dev", "--nodes", "5", "--fast-quorum", "6"},
		{"node", "--node", "a", "--cluster", "a,b,c", "--store", "sqlite::memory:", "--fast-quorum", "2"},
	} {
		if code, out := run(t, args...); code != exitUsage || !strings.Contains(out, "--fast-quorum is") {
			t.Errorf("accord %v: got %d, %q", args, code, out)
		}
	}
}
