package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/embeddednats"
	"natsaccord/event"
	"natsaccord/event/eventtest"
)

const realInput = "../../testdata/git-history.jsonl"

// gate is a store that holds appends until enough of them are under way, at whichever node.
type gate struct {
	*eventtest.Memory
	enough int
	open   chan struct{}

	mu   sync.Mutex
	seen map[string]string // request id → the node it came to first, of those before the gate opened
}

func (g *gate) enter(node, request string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, again := g.seen[request]; again || len(g.seen) == g.enough {
		return
	}
	g.seen[request] = node
	if len(g.seen) == g.enough {
		close(g.open)
	}
}

// at returns how many came to a node before the gate opened.
func (g *gate) at(node string) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, first := range g.seen {
		if first == node {
			n++
		}
	}
	return n
}

// gated is one of the nodes in front of a gate.
type gated struct {
	*gate
	name string
}

func (g gated) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	g.enter(g.name, a.RequestID)
	select {
	case <-g.open:
		return g.Memory.Append(ctx, a)
	case <-ctx.Done():
		return event.Receipt{}, ctx.Err()
	}
}

func (g gated) Status(ctx context.Context) (event.NodeStatus, error) {
	s, err := g.Memory.Status(ctx)
	s.Name, s.Nodes = g.name, []string{"n1", "n2", "n3"}
	return s, err
}

func (gated) Drain(context.Context) error { return nil }

// TestImportHas32UnderWay imports into nodes that answer no append before 32 are under way, and counts how many each has then.
func TestImportHas32UnderWay(t *testing.T) {
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: embeddednats.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	g := &gate{Memory: eventtest.NewMemory(), enough: 32, seen: make(map[string]string), open: make(chan struct{})}
	for _, name := range []string{"n1", "n2", "n3"} {
		serveGated(t, server.URL(), gated{g, name})
	}
	file := filepath.Join(t.TempDir(), "input.jsonl")
	if err := os.WriteFile(file, firstLines(t, 64), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := run(t, "import", file, "--server", server.URL())
	if code != exitDone || !strings.Contains(out, "64 committed") {
		t.Errorf("got %d, %s", code, out)
	}
	for _, name := range []string{"n1", "n2", "n3"} {
		if n := g.at(name); n < 10 {
			t.Errorf("of the first 32 requests %d came to %s, want about a third", n, name)
		}
	}
}

func serveGated(t *testing.T, url string, g gated) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	service, err := bus.NewService(nc, bus.ServiceConfig{Subjects: bus.Subjects{Cluster: "c"}, Node: g.name}, g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func firstLines(t *testing.T, n int) []byte {
	t.Helper()
	all, err := os.ReadFile(realInput)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Join(bytes.SplitAfterN(all, []byte("\n"), n+1)[:n], nil)
}

// checkLogs reads the log from each node: all must tell the same, event for event, and each stream's versions must run from 1 without a gap.
func checkLogs(t *testing.T, server string, want int) {
	t.Helper()
	var first string
	for _, node := range []string{"n1", "n2", "n3"} {
		code, log := run(t, "read", "--node", node, "--consistency", "local", "--output", "json", "--server", server)
		if first == "" {
			first = log
		}
		if code != exitDone || log != first {
			t.Errorf("the log of %s (%d) is not that of n1", node, code)
		}
	}
	versions := make(map[string]uint64)
	events := 0
	for line := range strings.Lines(first) {
		var e bus.ReadEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if versions[e.Stream]++; !strings.HasPrefix(e.Stream, "file.") || e.Version != versions[e.Stream] {
			t.Errorf("%s has version %d at %s, want %d", e.Stream, e.Version, e.Position, versions[e.Stream])
		}
		events++
	}
	if events != want {
		t.Errorf("the log has %d events, want %d", events, want)
	}
}
