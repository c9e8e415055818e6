package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"natsaccord/bus"
)

// TestNearNodeIsAsked appends by one node, and by others if that is not there.
func TestNearNodeIsAsked(t *testing.T) {
	server := serverOf(t, startDev(t, "--memory"))
	const appends = 10
	near := append(slices.Repeat([]string{"n2"}, appends), "n9")
	for i, name := range near {
		if code, out := run(t, "append", fmt.Sprintf("account.%d", i), `{"n":1}`, "--near", name, "--server", server); code != exitDone {
			t.Fatalf("near %s: got %d, %q", name, code, out)
		}
	}
	if code, out := run(t, "append", "account.x", `{"n":1}`, "--node", "n9", "--server", server); code != exitUnreachable {
		t.Errorf("a node that is not there is asked alone: got %d, %q", code, out)
	}
	code, out := run(t, "status", "-o", "json", "--server", server)
	var nodes []bus.NodeReply
	if err := json.Unmarshal([]byte(out), &nodes); code != exitDone || err != nil {
		t.Fatalf("got %d, %v: %s", code, err, out)
	}
	for _, n := range nodes {
		if done := n.Counters["fast"] + n.Counters["slow"]; n.Node == "n2" && done < appends {
			t.Errorf("n2 coordinated %d appends, want the %d that had it near", done, appends)
		}
	}
}
