package node_test

import (
	"context"
	"path/filepath"
	"testing"

	"natsaccord/event"
	"natsaccord/event/eventtest"
	"natsaccord/node"
	"natsaccord/sqlstore"
)

// single starts a node without consensus, and returns it with its store.
func single(t testing.TB) (*node.Node, *sqlstore.Store) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(node.SingleNode("n1"), nil, store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := n.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n, store
}

func TestSingleNodeExecutor(t *testing.T) {
	n, _ := single(t)
	eventtest.Exercise(t, func(*testing.T) event.Executor { return n })
}

// BenchmarkSingleNode compares writes through a node without consensus with writes to its bare store. The two
// take turns, write by write, so that both see the same disk.
func BenchmarkSingleNode(b *testing.B) {
	n, store := single(b)
	var through, bare int64
	for b.Loop() {
		for _, turn := range []struct {
			to    event.Executor
			spent *int64
		}{{n, &through}, {store, &bare}} {
			start := b.Elapsed()
			if err := turn.to.Write(b.Context(), opened("account.1", 1).Events); err != nil {
				b.Fatal(err)
			}
			*turn.spent += int64(b.Elapsed() - start)
		}
	}
	b.ReportMetric(float64(through)/float64(bare), "node/store")
}
