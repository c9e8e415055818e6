package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/embeddednats"
)

// TestNodeJoinsOnceItHasCaughtUp starts one node of three. It cannot learn what it has missed, so that it is asked by its name only, and how
// the cluster is. It answers for all when a second node has told it.
func TestNodeJoinsOnceItHasCaughtUp(t *testing.T) {
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: embeddednats.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	start := func(name string) {
		store := "sqlite:" + filepath.Join(t.TempDir(), name+".db")
		startNode(t, []string{"node", "--node", name, "--cluster", "n1,n2,n3", "--store", store, "--server", server.URL()})
	}
	info := func(subject string) (state string, err error) {
		var reply bus.NodeReply
		msg, err := nc.Request("accord.v1."+subject, nil, time.Minute)
		if err != nil {
			return "", err
		}
		return reply.State, errors.Join(err, json.Unmarshal(msg.Data, &reply))
	}
	until := func(state string) {
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for range ticker.C {
			switch got, err := info("node.n1.info"); {
			case err != nil && !errors.Is(err, nats.ErrNoResponders):
				t.Fatal(err)
			case got == state:
				return
			case got != "" && got != "catching_up":
				t.Fatalf("got the state %q", got)
			}
		}
	}
	start("n1")
	until("catching_up")
	if _, err := nc.Request("accord.v1.head.account.1", nil, time.Minute); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a node that is catching up was asked for all: got %v", err)
	}
	if state, err := info("cluster.info"); err != nil || state != "catching_up" {
		t.Errorf("of the cluster: got %q, %v", state, err)
	}
	if code, out := run(t, "status", "--server", server.URL()); !strings.Contains(out, "n1    catching_up") {
		t.Errorf("status: got %d, %s", code, out)
	}
	start("n2")
	until("ready")
	var head bus.HeadReply
	if msg, err := nc.Request("accord.v1.head.account.1", nil, time.Minute); err != nil || json.Unmarshal(msg.Data, &head) != nil || head.Type != bus.TypeHeadReply {
		t.Errorf("got %+v, %v", head, err)
	}
}
