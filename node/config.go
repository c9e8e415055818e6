package node

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// Config describes a Node. Name is required, and Nodes unless it is a single node; elsewhere zero means the
// default.
type Config struct {
	Name    string   // this node
	Cluster string   // default "default"
	Nodes   []string // all nodes, this one included; a node's number is its place in their sorted order
	Version string   // of the program, for status

	Electorate []string // nodes whose votes alone can decide in one round, the same at all for ever; default all

	PreAcceptTimeout time.Duration // for the first round of an append; default 5 s
	AcceptTimeout    time.Duration // for its second round; default 5 s
	DependencyWait   time.Duration // longest wait of a read for what it must see; default 30 s
	CatchUpWait      time.Duration // longest time that a node which has been away leaves clients to the others; default 1 min
	Bundle           int           // appends that share a transaction at most; default 64, 1: none do
	Workers          int           // batches of transactions applied at a time; default 1, the Store of sqlstore takes no more
	BatchSize        int           // transactions applied in one go; default 500
	Retention        time.Duration // how long executed transactions stay in accord_txn, for people and peers to ask for; default 1 h
	MaxInFlight      int           // appends coordinated at a time, beyond which they are refused; default 4,096
	MaxWaiting       int           // batches of peer messages waiting to be handled, beyond which they are dropped; default 16,384

	Limits event.Limits  // of a request; default event.DefaultLimits
	Core   accord.Config // tuning of the protocol; Self, Nodes and Electorate are filled in
	Logger *slog.Logger  // default slog.Default
	Now    func() time.Time

	single bool
}

// maxBundle bounds Config.Bundle: the log is handed over in larger parts than a transaction has requests.
const maxBundle = 256

// SingleNode returns the configuration of a node without consensus and without a network: what is written goes
// straight to its store.
func SingleNode(name string) Config {
	return Config{Name: name, Nodes: []string{name}, single: true}
}

func (c Config) withDefaults() Config {
	c.Nodes = slices.Sorted(slices.Values(c.Nodes))
	setDefault(&c.Cluster, "default")
	setDefault(&c.PreAcceptTimeout, 5*time.Second)
	setDefault(&c.AcceptTimeout, 5*time.Second)
	setDefault(&c.DependencyWait, 30*time.Second)
	setDefault(&c.CatchUpWait, time.Minute)
	setDefault(&c.Bundle, 64)
	setDefault(&c.Workers, 1)
	setDefault(&c.BatchSize, 500)
	setDefault(&c.Retention, time.Hour)
	setDefault(&c.MaxInFlight, 4096)
	setDefault(&c.MaxWaiting, 16384)
	setDefault(&c.Limits, event.DefaultLimits())
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Core.Retain == 0 {
		c.Core.Retain = uint64(c.Retention.Microseconds())
	}
	c.Core.Self = accord.NodeID(slices.Index(c.Nodes, c.Name) + 1)
	c.Core.Nodes = nil
	for i := range c.Nodes {
		c.Core.Nodes = append(c.Core.Nodes, accord.NodeID(i+1))
	}
	for _, name := range slices.Sorted(slices.Values(c.Electorate)) {
		c.Core.Electorate = append(c.Core.Electorate, accord.NodeID(slices.Index(c.Nodes, name)+1))
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) validate() error {
	switch {
	case c.Name == "":
		return fmt.Errorf("node: Config.Name is empty")
	case !slices.Contains(c.Nodes, c.Name):
		return fmt.Errorf("node: Config.Name %q is not among Config.Nodes %q", c.Name, c.Nodes)
	case len(slices.Compact(slices.Clone(c.Nodes))) != len(c.Nodes):
		return fmt.Errorf("node: Config.Nodes %q names a node twice", c.Nodes)
	case c.Bundle < 1 || c.Bundle > maxBundle:
		return fmt.Errorf("node: Config.Bundle is %d, want 1 to %d", c.Bundle, maxBundle)
	case slices.ContainsFunc(c.Electorate, func(name string) bool { return !slices.Contains(c.Nodes, name) }):
		return fmt.Errorf("node: Config.Electorate %q is not among Config.Nodes %q", c.Electorate, c.Nodes)
	case c.Workers < 1 || c.BatchSize < 1 || c.MaxInFlight < 1 || c.MaxWaiting < 1:
		return fmt.Errorf("node: Config.Workers, BatchSize, MaxInFlight and MaxWaiting are %d, %d, %d and %d, want at least 1",
			c.Workers, c.BatchSize, c.MaxInFlight, c.MaxWaiting)
	}
	return nil
}
