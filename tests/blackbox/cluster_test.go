package blackbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/client"
	"natsaccord/event"
)

// cluster is some nodes, each with a NATS server and a database of its own, and a client at each server.
type cluster struct {
	network *network
	storage *storage
	nodes   []*node
	clients []*client.Client
}

// patience is how long anything may take that only has to happen at some time.
const patience = 3 * time.Minute

// startCluster returns when all nodes, which get more flags, answer through all servers.
func startCluster(t *testing.T, s *storage, flags ...string) *cluster {
	t.Helper()
	network, err := startNetwork(t.Context(), len(s.urls))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.close(); err != nil {
			t.Error(err)
		}
	})
	c := &cluster{network: network, storage: s}
	for i := range s.urls {
		c.connect(t, i)
	}
	dir := directory(t, "logs")
	for i := range s.urls {
		c.add(t, i, dir, flags)
	}
	t.Cleanup(func() { c.stop(t) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.ready(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) connect(t *testing.T, i int) {
	t.Helper()
	nc, err := nats.Connect(c.network.servers[i].URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	made, err := client.New(nc, client.Options{Timeout: 4 * time.Second, TryTimeout: time.Second, Tries: 4})
	if err != nil {
		t.Fatal(err)
	}
	c.clients = append(c.clients, made)
}

func (c *cluster) add(t *testing.T, i int, dir string, flags []string) {
	t.Helper()
	var names []string
	for j := range c.storage.urls {
		names = append(names, fmt.Sprintf("n%d", j+1))
	}
	log, err := os.Create(filepath.Join(dir, names[i]+".log"))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{name: names[i], program: settings.program, log: log, closed: make(chan struct{}), args: append([]string{
		"node", "--node", names[i], "--cluster", strings.Join(names, ","), "--server", c.network.servers[i].URL(), "--store", c.storage.urls[i],
	}, flags...)}
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	c.nodes = append(c.nodes, n)
}

// stop ends all nodes, and tells of what went wrong with them.
func (c *cluster) stop(t *testing.T) {
	for _, n := range c.nodes {
		if err := n.close(); err != nil {
			t.Errorf("close %s: %v", n.name, err)
		}
		if _, err := n.faulty(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the log of %s ends with\n%s", n.name, ending(n.log.Name()))
		}
	}
}

// ending returns the last lines of a log.
func ending(path string) string {
	const shown = 25
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-shown):], "\n")
}

// at returns a client of node i that asks through the server of node via.
func (c *cluster) at(via, i int) (*client.Client, error) { return c.clients[via].At(c.nodes[i].name) }

// poll asks a question every few milliseconds until it is answered with nil. Nodes can only be asked.
func poll(ctx context.Context, ask func() error) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// ready waits until every node says that it is ready, through every server.
func (c *cluster) ready(ctx context.Context) error {
	for via := range c.clients {
		for i := range c.nodes {
			if err := poll(ctx, func() error { return c.isReady(ctx, via, i) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cluster) isReady(ctx context.Context, via, i int) error {
	s, err := c.status(ctx, via, i)
	if err == nil && s.State != "ready" {
		err = fmt.Errorf("%s is %s: %s %s", s.Name, s.State, s.Reason, s.Alarm)
	}
	return err
}

func (c *cluster) status(ctx context.Context, via, i int) (event.NodeStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := c.clients[via].Status(ctx, c.nodes[i].name)
	if err != nil {
		err = fmt.Errorf("ask %s through server %d: %w", c.nodes[i].name, via+1, err)
	}
	return s, err
}

// settle waits until everything that any node knows of is applied on all of them. An append through each of them
// makes sure that it works.
func (c *cluster) settle(ctx context.Context, l *ledger) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	for i := range c.nodes {
		at, err := c.at(i, i)
		if err != nil {
			return err
		}
		if err := poll(ctx, func() error { return l.mark(ctx, at) }); err != nil {
			return fmt.Errorf("append through %s: %w", c.nodes[i].name, err)
		}
	}
	return poll(ctx, func() error { return c.same(ctx) })
}

// same tells whether all nodes have come to the same end, with nothing left to do.
func (c *cluster) same(ctx context.Context) error {
	var ends []string
	for i := range c.nodes {
		s, err := c.status(ctx, i, i)
		if err != nil {
			return err
		}
		if s.Frontier < s.Last || s.InFlight > 0 || s.State != "ready" {
			return fmt.Errorf("%s is %s with %d in flight, at %s of %s: %s", s.Name, s.State, s.InFlight, s.Frontier, s.Last, s.Alarm)
		}
		ends = append(ends, fmt.Sprint(s.Events, " up to ", s.Last))
	}
	if len(slices.Compact(slices.Clone(ends))) > 1 {
		return fmt.Errorf("the nodes have %q", ends)
	}
	return nil
}

// verify runs accord verify, which reads the databases.
func (c *cluster) verify() (string, error) {
	out, err := exec.Command(settings.program, "verify", "--wait", "1m", "--server", c.network.servers[0].URL()).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("accord verify: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// logs reads the whole log of every node.
func (c *cluster) logs(ctx context.Context) ([][]event.Event, error) {
	logs := make([][]event.Event, len(c.nodes))
	for i := range c.nodes {
		at, err := c.at(i, i)
		if err != nil {
			return nil, err
		}
		logs[i], err = wholeLog(ctx, at, event.Frontier)
		if errors.Is(err, event.ErrDiverged) { // accord verify tells; what is wrong shows all the same
			logs[i], err = wholeLog(ctx, at, event.Local)
		}
		if err != nil {
			return nil, fmt.Errorf("read the log of %s: %w", c.nodes[i].name, err)
		}
	}
	return logs, nil
}

func wholeLog(ctx context.Context, at *client.Client, how event.Consistency) (log []event.Event, err error) {
	for e, err := range at.Events(ctx, event.ReadArgs{Consistency: how, Limit: 1000}) {
		if err != nil {
			return nil, err
		}
		log = append(log, e)
	}
	return log, nil
}
