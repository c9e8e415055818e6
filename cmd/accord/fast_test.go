package main

import (
	"bytes"
	"strings"
	"testing"

	"natsaccord/event"
)

// TestFastQuorumIsForEver starts a cluster in which all five decide, and again with the default, four of five: its databases
// are another cluster's then.
func TestFastQuorumIsForEver(t *testing.T) {
	dir := t.TempDir()
	t.Run("five", func(t *testing.T) {
		server := serverOf(t, startDev(t, "--nodes", "5", "--fast-quorum", "5", "--dir", dir))
		if code, out := run(t, "append", "account.x", `{"n":1}`, "--server", server); code != exitDone {
			t.Errorf("append: got %d, %q", code, out)
		}
		if code, out := run(t, "status", "--server", server); code != exitDone || strings.Contains(out, "One round") {
			t.Errorf("status: got %d, %q, want nothing about who decides", code, out)
		}
	})
	if code, out := run(t, "dev", "--nodes", "5", "--dir", dir); code == exitDone || !strings.Contains(out, "belongs to another node") {
		t.Errorf("got %d, %q, want the databases refused", code, out)
	}
}

// TestElectorateIsForEver does so with an electorate: what two of three decide is another cluster's for those who want
// all three, or two others.
func TestElectorateIsForEver(t *testing.T) {
	dir := t.TempDir()
	t.Run("two", func(t *testing.T) {
		server := serverOf(t, startDev(t, "--electorate", "n2,n1", "--dir", dir))
		for _, node := range []string{"n1", "n3"} {
			if code, out := run(t, "append", "account."+node, `{"n":1}`, "--server", server, "--node", node); code != exitDone {
				t.Errorf("append: got %d, %q", code, out)
			}
		}
		if code, out := run(t, "read", "account.n3", "--server", server, "--node", "n1"); code != exitDone || !strings.Contains(out, `{"n":1}`) {
			t.Errorf("read: got %d, %q", code, out)
		}
		if code, out := run(t, "status", "--server", server); code != exitDone || !strings.Contains(out, "One round takes 2 of n1, n2.") {
			t.Errorf("status: got %d, %q", code, out)
		}
		if code, out := run(t, "status", "--server", server, "-o", "json"); code != exitDone || !strings.Contains(compact(out), `"electorate":["n1","n2"],"fast_quorum":2`) {
			t.Errorf("status: got %d, %q", code, out)
		}
	})
	for _, args := range [][]string{nil, {"--electorate", "n1,n3"}} {
		if code, out := run(t, append([]string{"dev", "--dir", dir}, args...)...); code == exitDone || !strings.Contains(out, "belongs to another node") {
			t.Errorf("%v: got %d, %q, want the databases refused", args, code, out)
		}
	}
}

// TestOneRoundIsToldOfSome: where all nodes decide nothing is said of it, nor of a node that runs alone, starts or does not answer, of which it is not known.
func TestOneRoundIsToldOfSome(t *testing.T) {
	three, two := []string{"n1", "n2", "n3"}, []string{"n1", "n2"}
	for _, test := range []struct {
		name   string
		status event.NodeStatus
		told   bool
	}{
		{"all", event.NodeStatus{Nodes: three, Electorate: three, FastQuorum: 3}, false},
		{"an electorate", event.NodeStatus{Nodes: three, Electorate: two, FastQuorum: 2}, true},
		{"a quorum", event.NodeStatus{Nodes: three, Electorate: three, FastQuorum: 2}, true},
		{"alone", event.NodeStatus{Nodes: []string{"n1"}}, false},
		{"starting", event.NodeStatus{Nodes: three}, false},
		{"unreachable", event.NodeStatus{}, false},
	} {
		var out bytes.Buffer
		if err := (Main{Stdout: &out}).printStatuses(&remote{}, []event.NodeStatus{test.status}); err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(out.String(), "One round takes"); told != test.told {
			t.Errorf("%s: got %s", test.name, &out)
		}
	}
}

func compact(text string) string { return strings.Join(strings.Fields(text), "") }

func TestElectorateMustBeLegal(t *testing.T) {
	for _, args := range [][]string{
		{"dev", "--nodes", "5", "--electorate", "n1,n2"},
		{"dev", "--electorate", "n1,n4"},
		{"dev", "--electorate", "n1,n1"},
		{"node", "--node", "a", "--cluster", "a,b,c", "--store", "sqlite::memory:", "--electorate", "a"},
	} {
		if code, out := run(t, args...); code != exitUsage || !strings.Contains(out, "--electorate ") {
			t.Errorf("accord %v: got %d, %q", args, code, out)
		}
	}
}

func TestFastQuorumMustBeLegal(t *testing.T) {
	for _, args := range [][]string{
		{"dev", "--nodes", "5", "--fast-quorum", "3"},
		{"dev", "--nodes", "5", "--fast-quorum", "6"},
		{"dev", "--nodes", "5", "--electorate", "n1,n2,n3", "--fast-quorum", "2"},
		{"node", "--node", "a", "--cluster", "a,b,c", "--store", "sqlite::memory:", "--fast-quorum", "2"},
	} {
		if code, out := run(t, args...); code != exitUsage || !strings.Contains(out, "--fast-quorum is") {
			t.Errorf("accord %v: got %d, %q", args, code, out)
		}
	}
}
