package digest

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// DefaultMarkEvery is how many events lie between two marks unless configured otherwise.
const DefaultMarkEvery = 1000

// DefaultScrubRate is how many events are read again in a second at most unless configured otherwise.
const DefaultScrubRate = 10_000

// What a pass over the log aims at: with the pause of 30 s before it, a change is found within a minute.
const (
	scrubPass     = 25 * time.Second
	leastScrubbed = 2000 // events read again in a second, even if that is sooner
)

// Config describes a Digester. Self and Nodes are required; elsewhere zero means the default.
type Config struct {
	Self  string
	Nodes []string // all nodes

	MarkEvery  int           // events from one mark in the database to the next, the same on all nodes; default 1,000
	Pace       time.Duration // how long events gather before they are hashed; default 1 s
	Compare    time.Duration // how often the other nodes are told; default 5 s
	ScrubEvery time.Duration // pause before the log is read again from its beginning; default 30 s
	ScrubRate  int           // events read again in a second, at most; fewer if those do for all in 25 s; default 10,000
	Logger     *slog.Logger  // default none
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.Pace, time.Second}, {&c.Compare, 5 * time.Second}, {&c.ScrubEvery, 30 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.MarkEvery == 0 {
		c.MarkEvery = DefaultMarkEvery
	}
	if c.ScrubRate == 0 {
		c.ScrubRate = DefaultScrubRate
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Nodes = slices.Sorted(slices.Values(c.Nodes))
	return c
}

// due is how long reading again may take from one mark to the next, in a log of so many events.
func (c Config) due(events uint64) time.Duration {
	rate := max(events/uint64(scrubPass.Seconds()), leastScrubbed)
	return time.Duration(c.MarkEvery) * time.Second / time.Duration(min(rate, uint64(c.ScrubRate)))
}

// Validate refuses what New would refuse.
func (c Config) Validate() error { return c.withDefaults().validate() }

func (c Config) validate() error {
	switch {
	case !slices.Contains(c.Nodes, c.Self):
		return fmt.Errorf("digest: Config.Self %q is not among Config.Nodes %q", c.Self, c.Nodes)
	case c.MarkEvery < 1 || c.MarkEvery > 1000:
		return fmt.Errorf("digest: Config.MarkEvery is %d, want 1 to 1,000", c.MarkEvery)
	case c.Pace < 0 || c.Compare < 0 || c.ScrubEvery < 0 || c.ScrubRate < 1:
		return fmt.Errorf("digest: Config.Pace, Compare, ScrubEvery and ScrubRate are %s, %s, %s and %d, want more than 0", c.Pace, c.Compare, c.ScrubEvery, c.ScrubRate)
	}
	return nil
}
