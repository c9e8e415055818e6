package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"natsaccord/bus"
	"natsaccord/dashboard"
	"natsaccord/embeddednats"
)

// natsPort is where NATS is expected, and where dev puts its own if the port is free.
const natsPort = 4222

// dev is what the flags of accord dev say.
type dev struct {
	count     int
	fast      int
	elect     []string
	dir       string
	memory    bool
	attach    string
	stores    []string
	prefix    string
	live      bool
	retention time.Duration
	verbose   bool
	http      string // where the page is; empty: nowhere
	httpGiven bool   // it has to be there

	scrubEvery time.Duration
	scrubRate  int
}

func (m Main) devCommand() *cobra.Command {
	var d dev
	c := &cobra.Command{
		Use: "dev", Short: "Run a whole cluster in this process, with nothing else to install", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d.httpGiven = c.Flags().Changed("http")
			return m.dev(c.Context(), d)
		},
	}
	f := c.Flags()
	f.IntVar(&d.count, "nodes", 3, "number of nodes")
	f.IntVar(&d.fast, "fast-quorum", 0, "how many nodes decide in one round (default: as few as may, all of 3, 4 of 5, 6 of 7)")
	f.StringSliceVar(&d.elect, "electorate", nil, "nodes whose votes alone decide in one round, as n1,n2 of three (default: all)")
	f.StringVar(&d.dir, "dir", "", "directory for the nodes' SQLite files (default: a temporary one, removed at the end)")
	f.BoolVar(&d.memory, "memory", false, "keep everything in memory: fast, and gone at the end")
	f.StringVar(&d.attach, "attach", "", "URL of a NATS server to use instead of an embedded one")
	f.StringSliceVar(&d.stores, "store", nil, "store of each node, postgres://… or sqlite:PATH; as many as there are nodes")
	f.DurationVar(&d.retention, "retention", time.Hour, "how long executed transactions stay in accord_txn")
	f.BoolVar(&d.live, "live", true, "publish events on NATS once they are committed")
	f.StringVar(&d.http, "http", dashboard.DefaultAddr, "where to serve a page, health and metrics; another port by default if that is taken; \"\": nowhere")
	scrubFlags(f, &d.scrubEvery, &d.scrubRate)
	f.BoolVarP(&d.verbose, "verbose", "v", false, "log details")
	m.configured(c, f, func(f *pflag.FlagSet) { prefixFlag(f, &d.prefix) })
	return c
}

func (d dev) validate() error {
	switch {
	case d.count < 1 || d.count > 7:
		return fmt.Errorf("%w: --nodes is %d, want 1 to 7", errUsage, d.count)
	case len(d.stores) > 0 && len(d.stores) != d.count:
		return fmt.Errorf("%w: --store is given %d times for %d nodes", errUsage, len(d.stores), d.count)
	case d.memory && d.dir != "":
		return fmt.Errorf("%w: --memory and --dir exclude each other", errUsage)
	}
	return errors.Join(checkVoting(d.fast, d.elect, d.names()), checkScrub(d.scrubEvery, d.scrubRate), checkPage(d.http))
}

// names returns what the nodes are called.
func (d dev) names() (names []string) {
	for i := range d.count {
		names = append(names, fmt.Sprintf("n%d", i+1))
	}
	return names
}

// storeURLs returns a store for each node, and what to do with them at the end.
func (d dev) storeURLs() (urls []string, where string, cleanup func() error, err error) {
	cleanup = func() error { return nil }
	switch {
	case len(d.stores) > 0:
		return d.stores, "the given stores", cleanup, nil
	case d.memory:
		for range d.count {
			urls = append(urls, "sqlite::memory:")
		}
		return urls, "memory, gone at the end", cleanup, nil
	case d.dir == "":
		if d.dir, err = os.MkdirTemp("", "accord-dev-"); err != nil {
			return nil, "", cleanup, fmt.Errorf("make a directory: %w", err)
		}
		dir := d.dir
		cleanup = func() error { return os.RemoveAll(dir) }
		where = d.dir + ", removed at the end"
	default:
		where = d.dir
	}
	for i := range d.count {
		urls = append(urls, "sqlite:"+filepath.Join(d.dir, fmt.Sprintf("n%d.db", i+1)))
	}
	return urls, where, cleanup, nil
}

func (m Main) dev(ctx context.Context, d dev) error {
	if err := d.validate(); err != nil {
		return err
	}
	return m.cluster(ctx, d, natsPort, func(_ context.Context, up upCluster) { m.greet(up, d.prefix) })
}

// upCluster is a cluster that serves.
type upCluster struct {
	server string // URL of NATS
	page   string // URL; empty: none
	names  []string
	where  string // its data are
}

// cluster runs a cluster until ctx ends. ready is called once it serves, with a context that ends with the
// cluster. port is where its NATS server is to listen, if that is free.
func (m Main) cluster(ctx context.Context, d dev, port int, ready func(context.Context, upCluster)) (err error) {
	logger := m.logger(d.verbose)
	if !d.verbose {
		logger = slog.New(slog.NewTextHandler(m.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	urls, where, cleanup, err := d.storeURLs()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cleanup()) }()
	names := d.names()
	shown, hide, err := m.devPage(ctx, d, logger)
	if err != nil {
		return err
	}
	defer hide()
	server, stop, err := m.devServer(ctx, d.attach, port, logger)
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer moreProcs(len(urls))()
	errs := make([]error, len(urls))
	var serving, running sync.WaitGroup
	serving.Add(len(urls))
	for i := range urls {
		running.Go(func() {
			once := sync.OnceFunc(serving.Done)
			defer once()
			one := member{
				name: names[i], nodes: append([]string(nil), names...), cluster: bus.DefaultPrefix, fast: d.fast, electorate: d.elect, prefix: d.prefix, store: urls[i], live: d.live, scrubEvery: d.scrubEvery, scrubRate: d.scrubRate,
				nats: bus.Config{Servers: []string{server}, Insecure: d.attach != ""}, logger: logger, page: shown.of(i), retention: d.retention, drainFor: 5 * time.Second,
			}
			if errs[i] = one.run(ctx, once); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	serving.Wait()
	if ctx.Err() == nil {
		ready(ctx, upCluster{server, shown.url, names, where})
	}
	running.Wait()
	return errors.Join(errs...)
}

// devServer returns the URL of the NATS server to use, and how to stop it.
func (m Main) devServer(ctx context.Context, attach string, port int, logger *slog.Logger) (url string, stop func(), err error) {
	if attach != "" {
		return attach, func() {}, nil
	}
	server, err := embeddednats.Start(ctx, embeddednats.Config{Port: port, Logger: logger})
	if err != nil {
		if server, err = embeddednats.Start(ctx, embeddednats.Config{Port: embeddednats.AnyPort, Logger: logger}); err != nil {
			return "", nil, err
		}
		fmt.Fprintf(m.Stdout, "Port %d is taken; using another.\n", port)
	}
	return server.URL(), server.Shutdown, nil
}

// greet says where the cluster is and what to do with it.
func (m Main) greet(up upCluster, prefix string) {
	flag := ""
	if up.server != nats.DefaultURL {
		flag = " --server " + up.server
	}
	page := ""
	if up.page != "" {
		page = "\n  page   " + up.page + "/ui/"
	}
	fmt.Fprintf(m.Stdout, `accord: %d nodes are ready
  NATS   %s%s
  nodes  %v
  data   %s

Append an event, from any language or with the nats CLI:
  nats req%s %s.v1.append.account.alice '{"events":[{"type":"Opened","data":{"balance":100}}]}'
Read it back:
  accord read%s account.alice
`, len(up.names), up.server, page, up.names, up.where, flag, prefix, flag)
}
