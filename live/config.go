package live

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Config describes a Publisher. Self and Nodes are required; elsewhere zero means the default.
type Config struct {
	Self  string
	Nodes []string // all nodes; those in front take over sooner

	Takeover  time.Duration // how long nothing may be heard before the first node takes over, the second after twice that, and so on; default 500 ms
	SaveEvery time.Duration // how often progress is noted in the database while there is any; default 5 s
	Batch     int           // events published in one go; default 500
	Logger    *slog.Logger  // default none
}

func (c Config) withDefaults() Config {
	if c.Takeover == 0 {
		c.Takeover = 500 * time.Millisecond
	}
	if c.SaveEvery == 0 {
		c.SaveEvery = 5 * time.Second
	}
	if c.Batch == 0 {
		c.Batch = 500
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Nodes = slices.Sorted(slices.Values(c.Nodes))
	return c
}

func (c Config) validate() error {
	switch {
	case !slices.Contains(c.Nodes, c.Self):
		return fmt.Errorf("live: Config.Self %q is not among Config.Nodes %q", c.Self, c.Nodes)
	case c.Takeover < 0 || c.SaveEvery < 0 || c.Batch < 1:
		return fmt.Errorf("live: Config.Takeover, SaveEvery and Batch are %s, %s and %d, want more than 0", c.Takeover, c.SaveEvery, c.Batch)
	}
	return nil
}

// rank is a node's place among all.
func (c Config) rank(node string) int { return slices.Index(c.Nodes, node) }

// patience is how long this node lets nothing be heard before it takes over.
func (c Config) patience() time.Duration {
	if len(c.Nodes) == 1 {
		return 0
	}
	return c.Takeover * time.Duration(1+c.rank(c.Self))
}
