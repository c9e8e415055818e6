package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"natsaccord/bus"
	"natsaccord/embeddednats"
)

func (m Main) nodeCommand() *cobra.Command {
	one := member{}
	var embedded, verbose bool
	c := &cobra.Command{
		Use: "node", Short: "Run one member of a cluster", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			one.logger = m.logger(verbose)
			return m.node(c.Context(), one, embedded)
		},
	}
	f := c.Flags()
	f.StringVar(&one.name, "node", "", "name of this node")
	f.StringSliceVar(&one.nodes, "cluster", nil, "names of all nodes, this one included")
	f.StringVar(&one.cluster, "cluster-name", bus.DefaultPrefix, "name of the cluster")
	f.IntVar(&one.fast, "fast-quorum", 0, "how many nodes decide in one round, the same on all (default: as few as may, all of 3, 4 of 5, 6 of 7)")
	f.StringSliceVar(&one.electorate, "electorate", nil, "names of the nodes whose votes alone decide in one round, the same on all (default: all of them)")
	f.StringVar(&one.prefix, "prefix", bus.DefaultPrefix, "prefix of all subjects")
	f.StringVar(&one.store, "store", "", "postgres://… or sqlite:PATH")
	f.StringVar(&one.journal, "journal", "", "directory of the journal's files, or \"sql\" to keep it in the store (default: beside a SQLite file, else \"sql\")")
	f.BoolVar(&one.single, "single", false, "single-node mode: no consensus")
	f.BoolVar(&embedded, "embedded-nats", false, "run a NATS server in this process")
	f.DurationVar(&one.retention, "retention", time.Hour, "how long executed transactions stay in accord_txn")
	f.BoolVar(&one.unsafe, "unsafe-store", false, "accept a store that may lose acknowledged data")
	f.BoolVar(&one.live, "live", true, "publish events on NATS once they are committed")
	scrubFlags(f, &one.scrubEvery, &one.scrubRate)
	f.DurationVar(&one.drainFor, "drain", 15*time.Second, "how long a graceful stop waits for appends under way")
	f.BoolVarP(&verbose, "verbose", "v", false, "log details")
	natsFlags(f, &one.nats, m.Getenv)
	return c
}

func (m Main) node(ctx context.Context, one member, embedded bool) error {
	if one.single && len(one.nodes) == 0 {
		one.nodes = []string{one.name}
	}
	switch {
	case one.name == "" || one.store == "":
		return fmt.Errorf("%w: --node and --store are required", errUsage)
	case !slices.Contains(one.nodes, one.name):
		return fmt.Errorf("%w: --cluster %v does not name --node %s", errUsage, one.nodes, one.name)
	case one.single && len(one.nodes) != 1:
		return fmt.Errorf("%w: --single goes with one node", errUsage)
	}
	if err := checkVoting(one.fast, one.electorate, one.nodes); err != nil {
		return err
	}
	if embedded {
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
