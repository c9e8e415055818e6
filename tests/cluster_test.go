package tests

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/client"
	"natsaccord/embeddednats"
	"natsaccord/sqlstore/pgtest"
)

// program builds the accord program, once.
type program struct {
	once sync.Once
	dir  string
	err  error
}

var (
	accord   program
	postgres pgtest.Server
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop Postgres:", err)
		code = 1
	}
	os.RemoveAll(accord.dir)
	os.Exit(code)
}

func (p *program) path(t *testing.T) string {
	t.Helper()
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "accord-bin-"); p.err != nil {
			return
		}
		var out []byte
		if out, p.err = exec.Command("go", "build", "-o", p.dir, "natsaccord/cmd/accord").CombinedOutput(); p.err != nil {
			p.err = fmt.Errorf("%w: %s", p.err, out)
		}
	})
	if p.err != nil {
		t.Fatal("build accord: ", p.err)
	}
	return filepath.Join(p.dir, "accord")
}

// cluster is three nodes as processes on one NATS server.
type cluster struct {
	t      *testing.T
	server string
	stores []string
	flags  []string // of the nodes, besides what they need
	nodes  []*exec.Cmd
	nc     *nats.Conn
	client *client.Client
}

func start(t *testing.T, stores []string) *cluster {
	t.Helper()
	return startOn(t, stores, embeddednats.Config{Port: embeddednats.AnyPort})
}

// startOn does so on a NATS server of its own settings, with more flags for the nodes.
func startOn(t *testing.T, stores []string, cfg embeddednats.Config, flags ...string) *cluster {
	t.Helper()
	server, err := embeddednats.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	c := &cluster{t: t, server: server.URL(), stores: stores, flags: flags, nodes: make([]*exec.Cmd, len(stores))}
	if c.nc, err = nats.Connect(c.server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.nc.Close)
	if c.client, err = client.New(c.nc, client.Options{}); err != nil {
		t.Fatal(err)
	}
	for i := range stores {
		c.startNode(i)
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.signal(i, syscall.SIGTERM)
		}
	})
	for i := range stores {
		c.await(i)
	}
	return c
}

func (c *cluster) startNode(i int) {
	c.t.Helper()
	cmd := exec.Command(accord.path(c.t), append([]string{"node", "--node", fmt.Sprintf("n%d", i+1), "--cluster", "n1,n2,n3",
		"--server", c.server, "--store", c.stores[i]}, c.flags...)...)
	cmd.Stderr = &tail{}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.nodes[i] = cmd
}

// tail keeps what a process said, for when something is wrong.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *tail) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// await waits until node i answers, by asking it until it does.
func (c *cluster) await(i int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if s, err := c.client.Status(ctx, fmt.Sprintf("n%d", i+1)); err == nil && s.State == "ready" {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			c.t.Fatalf("node %d never answered: %s", i+1, c.nodes[i].Stderr)
		}
	}
}

// signal ends node i and waits until it is gone.
func (c *cluster) signal(i int, s syscall.Signal) {
	c.t.Helper()
	cmd := c.nodes[i]
	if cmd == nil {
		return
	}
	c.nodes[i] = nil
	if err := cmd.Process.Signal(s); err != nil {
		c.t.Errorf("signal node %d: %v", i+1, err)
	}
	if err := cmd.Wait(); err != nil && s == syscall.SIGTERM {
		c.t.Errorf("node %d: %v: %s", i+1, err, cmd.Stderr)
	}
}

// run runs a client command against the cluster and returns what it prints.
func (c *cluster) run(args ...string) string {
	c.t.Helper()
	out, err := exec.Command(accord.path(c.t), append(args, "--server", c.server)...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("accord %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *cluster) wants(output, want string) {
	c.t.Helper()
	if !strings.Contains(output, want) {
		c.t.Errorf("got %q, want %q in it", output, want)
	}
}

func sqliteStores(t *testing.T) []string {
	dir := t.TempDir()
	return []string{"sqlite:" + dir + "/n1.db", "sqlite:" + dir + "/n2.db", "sqlite:" + dir + "/n3.db"}
}
