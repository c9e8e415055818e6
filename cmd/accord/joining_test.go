package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/embeddednats"
)

// TestNodeJoinsOnceItHasCaughtUp starts one node of three. While it waits to learn what it has missed, it is asked by its name
// only; it gives that up, since nobody tells, and answers for all: that they are too few.
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
	startNode(t, []string{"node", "--node", "n1", "--cluster", "n1,n2,n3", "--store", "sqlite:" + filepath.Join(t.TempDir(), "n1.db"), "--server", server.URL()})

	ask := func(subject string) (reply bus.NodeReply, err error) {
		msg, err := nc.Request("accord.v1."+subject, nil, time.Minute)
		if err != nil {
			return reply, err
		}
		return reply, json.Unmarshal(msg.Data, &reply)
	}
	apart := 0
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		_, shared := ask("cluster.info")
		own, err := ask("node.n1.info")
		switch {
		case errors.Is(err, nats.ErrNoResponders) && apart == 0:
			continue // it is still starting
		case err != nil:
			t.Fatal(err)
		case own.State == "catching_up" && !errors.Is(shared, nats.ErrNoResponders):
			t.Fatalf("a node that is catching up was asked for all, and said %v", shared)
		case own.State == "catching_up":
			apart++
			continue
		case own.State != "ready":
			t.Fatalf("got the state %q", own.State)
		}
		break
	}
	if apart == 0 {
		t.Error("the node was never seen catching up")
	}
	if reply, err := ask("cluster.info"); err != nil || reply.Reason == "" {
		t.Errorf("got %+v, %v", reply, err)
	}
}
