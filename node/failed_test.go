package node_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"natsaccord/node"
	"natsaccord/sqlstore"
)

// failing is a store that a test can have fail.
type failing struct {
	*sqlstore.Store
	failed chan struct{}
	why    error
}

func (f failing) Failed() <-chan struct{} { return f.failed }

func (f failing) Failure() error { return f.why }

// silence is a bus to nobody.
type silence struct{ node.Bus }

// TestNodeEndsWithItsStore: a node whose store takes no writes any more ends, with consensus or alone, though nobody writes: a node that goes
// on would be taken for one that is ready.
func TestNodeEndsWithItsStore(t *testing.T) {
	for name, cfg := range map[string]node.Config{"alone": node.SingleNode("n1"), "one of one": {Name: "n1", Cluster: "c", Nodes: []string{"n1"}}} {
		t.Run(name, func(t *testing.T) {
			store, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "a.db"), Cluster: cfg.Cluster, Node: "n1", Nodes: []string{"n1"}})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			f := failing{store, make(chan struct{}), errors.New("the lock is lost")}
			n, err := node.New(cfg, silence{}, f)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- n.Run(context.Background()) }()
			if err := n.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			close(f.failed)
			if err := <-ended; !errors.Is(err, f.why) {
				t.Errorf("the node ended with %v, want why the store failed", err)
			}
		})
	}
}
