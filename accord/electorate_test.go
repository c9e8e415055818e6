package accord_test

import (
	"strings"
	"testing"

	"natsaccord/accord"
)

// TestElectorateMustBeLegal: a recovery has to meet electors enough to tell whether they decided.
func TestElectorateMustBeLegal(t *testing.T) {
	nodes := []accord.NodeID{1, 2, 3, 4, 5}
	for _, c := range []struct {
		electorate []accord.NodeID
		fast       int
		want       string // of the error; empty: none
	}{
		{nil, 0, ""},
		{nodes, 4, ""},
		{[]accord.NodeID{1, 3, 5}, 0, ""},
		{[]accord.NodeID{1, 3, 5}, 3, ""},
		{[]accord.NodeID{1, 2, 3, 4}, 4, ""},
		{[]accord.NodeID{1, 3, 5}, 2, "FastQuorum is 2, want 3 to 3"},
		{[]accord.NodeID{1, 2, 3, 4}, 5, "FastQuorum is 5, want 4 to 4"},
		{[]accord.NodeID{1, 3}, 0, "Electorate has 2 nodes, want 3 to 5"},
		{[]accord.NodeID{1, 3, 6}, 0, "Electorate is"},
		{[]accord.NodeID{1, 3, 3}, 0, "Electorate is"},
		{[]accord.NodeID{3, 1, 5}, 0, "Electorate is"},
	} {
		_, err := accord.New(accord.Config{Self: 1, Nodes: nodes, Electorate: c.electorate, FastQuorum: c.fast})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("electorate %v, fast quorum %d: got %v, want %q", c.electorate, c.fast, err, c.want)
		}
	}
}
