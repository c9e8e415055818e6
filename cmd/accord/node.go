package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"natsaccord/bus"
	"natsaccord/dashboard"
	"natsaccord/embeddednats"
)

// process is what the flags of accord node say.
type process struct {
	one      member
	embedded bool // runs a NATS server too
	verbose  bool
	http     string // where to serve the page; empty: nowhere
}

func (m Main) nodeCommand() *cobra.Command {
	var p process
	c := &cobra.Command{
		Use: "node", Short: "Run one member of a cluster", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p.one.logger = m.logger(p.verbose)
			return m.node(c.Context(), p)
		},
	}
	m.configured(c, c.Flags(), p.flags)
	return c
}

// flags adds all that a node can be told: these are the settings there are.
func (p *process) flags(f *pflag.FlagSet) {
	one := &p.one
	f.StringVar(&one.name, "node", "", "name of this node")
	f.StringSliceVar(&one.nodes, "cluster", nil, "names of all nodes, this one included")
	f.StringVar(&one.cluster, "cluster-name", bus.DefaultPrefix, "name of the cluster")
	f.IntVar(&one.fast, "fast-quorum", 0, "how many nodes decide in one round, the same on all (default: as few as may, all of 3, 4 of 5, 6 of 7)")
	f.StringSliceVar(&one.electorate, "electorate", nil, "names of the nodes whose votes alone decide in one round, the same on all (default: all of them)")
	prefixFlag(f, &one.prefix)
	storeFlags(f, &one.store, &one.unsafe)
	f.StringVar(&one.journal, "journal", "", "directory of the journal's files, or \"sql\" to keep it in the store (default: beside a SQLite file, else \"sql\")")
	f.BoolVar(&one.single, "single", false, "single-node mode: no consensus")
	f.BoolVar(&p.embedded, "embedded-nats", false, "run a NATS server in this process")
	f.DurationVar(&one.retention, "retention", time.Hour, "how long executed transactions stay in accord_txn")
	f.BoolVar(&one.live, "live", true, "publish events on NATS once they are committed")
	f.StringVar(&p.http, "http", "", "where to serve a page, health and metrics, as "+dashboard.DefaultAddr+"; loopback without a host (default: nowhere)")
	scrubFlags(f, &one.scrubEvery, &one.scrubRate)
	f.DurationVar(&one.drainFor, "drain", 15*time.Second, "how long a graceful stop waits for appends under way")
	f.BoolVarP(&p.verbose, "verbose", "v", false, "log details")
	natsFlags(f, &one.nats)
	ownServer(f, "embedded-nats")
}

// alone makes a node the only one of its cluster, if it is to be single and nobody said who its nodes are.
func (p *process) alone() {
	if p.one.single && len(p.one.nodes) == 0 {
		p.one.nodes = []string{p.one.name}
	}
}

// validate says all that is wrong with what this program makes of its flags.
func (p *process) validate() error {
	one := p.one
	errs := []error{one.checkNames(), checkVoting(one.fast, one.electorate, one.nodes), checkScrub(one.scrubEvery, one.scrubRate), checkPage(p.http)}
	if one.name == "" || one.store == "" {
		errs = append(errs, fmt.Errorf("%w: --node and --store are required", errUsage))
	}
	if one.name != "" && !slices.Contains(one.nodes, one.name) {
		errs = append(errs, fmt.Errorf("%w: --cluster %q does not name --node %q", errUsage, one.nodes, one.name))
	}
	if one.single && len(one.nodes) != 1 {
		errs = append(errs, fmt.Errorf("%w: --single goes with one node", errUsage))
	}
	for flag, d := range map[string]time.Duration{"retention": one.retention, "drain": one.drainFor} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%w: --%s is %s, want no time before now", errUsage, flag, d))
		}
	}
	return errors.Join(errs...)
}

func (m Main) node(ctx context.Context, p process) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	one := p.one
	shown, hide, err := servePage(ctx, p.http, one.logger, one.name)
	if err != nil {
		return err
	}
	defer hide()
	one.page = shown.of(0)
	if p.embedded {
		server, err := embeddednats.Start(ctx, embeddednats.Config{Port: natsPort, Logger: one.logger})
		if err != nil {
			return err
		}
		defer server.Shutdown()
		one.nats.Servers = []string{server.URL()}
	}
	defer moreProcs(1)()
	return one.run(ctx, func() {})
}
