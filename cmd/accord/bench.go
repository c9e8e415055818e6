package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/client/load"
	"natsaccord/embeddednats"
	"natsaccord/event"
)

// bench is what the flags of accord bench say.
type bench struct {
	remote
	own         dev // a cluster of its own, if count is not zero
	workload    load.Workload
	size        string
	consistency string
	concurrency []int
	connections int
	run         load.Config
	warmUp      time.Duration
}

func (m Main) benchCommand() *cobra.Command {
	var b bench
	var kinds []string
	for _, kind := range load.Kinds() {
		kinds = append(kinds, string(kind))
	}
	c := &cobra.Command{
		Use: "bench [WORKLOAD]", Short: "Measure a cluster under load: " + strings.Join(kinds, ", "),
		Long: `Puts load on the cluster at --server, or with --nodes on one of its own that is gone afterwards, and prints
throughput, latencies, errors by kind, and what each node did for it.`,
		Args: func(_ *cobra.Command, given []string) error {
			if len(given) > 1 || len(given) == 1 && !slices.Contains(kinds, given[0]) {
				return fmt.Errorf("%w: WORKLOAD is %q, want one of %s", errUsage, given, strings.Join(kinds, ", "))
			}
			return nil
		},
		ValidArgs: kinds,
		RunE: func(c *cobra.Command, given []string) error {
			b.workload.Kind = load.Uncontended
			if len(given) == 1 {
				b.workload.Kind = load.Kind(given[0])
			}
			if c.Flags().Changed("server") && b.own.count > 0 {
				return fmt.Errorf("%w: --server and --nodes exclude each other", errUsage)
			}
			return m.bench(c.Context(), &b)
		},
	}
	m.remoteFlags(c, &b.remote)
	b.flags(c.Flags())
	return c
}

func (b *bench) flags(f *pflag.FlagSet) {
	f.IntVar(&b.own.count, "nodes", 0, "run a cluster of so many nodes in this process, and measure that")
	f.BoolVar(&b.own.memory, "memory", false, "with --nodes: keep everything in memory, and sync nothing")
	f.StringVar(&b.own.dir, "dir", "", "with --nodes: directory for SQLite files (default: a temporary one, removed at the end)")
	f.StringSliceVar(&b.own.stores, "store", nil, "with --nodes: store of each node, postgres://… or sqlite:PATH")
	f.IntSliceVarP(&b.concurrency, "concurrency", "c", []int{64}, "most requests in flight, 1 to 1,024; several are measured one after the other")
	f.Float64Var(&b.run.Rate, "rate", 0, "start so many requests a second whatever becomes of them, and count from when each was to start (default: the next one when one is done)")
	f.DurationVarP(&b.run.Duration, "duration", "d", 10*time.Second, "how long to start requests")
	f.Uint64VarP(&b.run.Count, "count", "n", 0, "start at most so many requests (default: as many as the duration allows)")
	f.DurationVar(&b.warmUp, "warmup", time.Second, "how long to do the same before, without counting")
	f.StringVar(&b.size, "size", "256", "bytes of data in an event, as 256, 4KiB or 64KiB")
	f.IntVar(&b.workload.Streams, "streams", 0, "streams to choose among (default 10,000; of hot 10)")
	f.BoolVar(&b.workload.Fresh, "fresh", false, "append: to a new stream each time")
	f.BoolVar(&b.workload.Expect, "expect", false, "demand the streams' versions, and repeat what comes second (default: the next version, whichever it is)")
	f.Float64Var(&b.workload.Skew, "skew", 1.1, "zipf: exponent, above 1")
	f.IntVar(&b.workload.Span, "span", 2, "transaction: streams written in one")
	f.BoolVar(&b.workload.Unguarded, "unguarded", false, "transaction: do not demand that a further stream does not exist")
	f.StringVar(&b.consistency, "consistency", string(event.Linearizable), "read, update: local, at_least, linearizable or frontier")
	f.IntVar(&b.connections, "connections", 4, "connections to NATS")
}

// mostConcurrency bounds what one program measures without measuring itself.
const mostConcurrency = 1024

func (b *bench) validate() error {
	if err := b.remote.validate(); err != nil {
		return err
	}
	var err error
	if b.workload.Bytes, err = parseSize(b.size); err != nil {
		return err
	}
	b.workload.Consistency = event.Consistency(b.consistency)
	for _, c := range b.concurrency {
		if c < 1 || c > mostConcurrency {
			return fmt.Errorf("%w: --concurrency is %d, want 1 to %d", errUsage, c, mostConcurrency)
		}
	}
	switch {
	case len(b.concurrency) == 0:
		return fmt.Errorf("%w: --concurrency is empty", errUsage)
	case b.connections < 1 || b.connections > mostConcurrency:
		return fmt.Errorf("%w: --connections is %d, want 1 to %d", errUsage, b.connections, mostConcurrency)
	case b.run.Duration <= 0 || b.warmUp < 0:
		return fmt.Errorf("%w: --duration and --warmup are %s and %s, want more than 0", errUsage, b.run.Duration, b.warmUp)
	case b.own.count == 0 && (b.own.memory || b.own.dir != "" || len(b.own.stores) > 0):
		return fmt.Errorf("%w: --memory, --dir and --store go with --nodes", errUsage)
	case b.own.count != 0:
		b.own.prefix = b.prefix
		return b.own.validate()
	}
	return nil
}

// parseSize reads a number of bytes, as 256, 4KiB or 1MiB.
func parseSize(text string) (int, error) {
	number, unit := text, 1
	for suffix, bytes := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20} {
		if cut, found := strings.CutSuffix(text, suffix); found {
			number, unit = cut, bytes
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1<<20 {
		return 0, fmt.Errorf("%w: --size is %q, want bytes as 256, 4KiB or 1MiB", errUsage, text)
	}
	return n * unit, nil
}

func (m Main) bench(ctx context.Context, b *bench) error {
	if err := b.validate(); err != nil {
		return err
	}
	if b.own.count == 0 {
		return m.measureAll(ctx, b)
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var measured error
	err := m.cluster(running, b.own, embeddednats.AnyPort, func(ctx context.Context, up upCluster) {
		defer stop()
		b.nats = bus.Config{Servers: []string{up.server}} // which wants no credentials
		measured = m.measureAll(ctx, b)
	})
	return errors.Join(measured, err)
}

// measureAll measures one concurrency after the other.
func (m Main) measureAll(ctx context.Context, b *bench) error {
	clients, closeAll, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	var all []measurement
	for _, concurrency := range b.concurrency {
		one, err := m.measure(ctx, b, clients, concurrency)
		if err != nil {
			return err
		}
		all = append(all, one)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(m.printMeasurements(&b.remote, all), failure(all))
}

// failure is an error if nothing at all succeeded.
func failure(all []measurement) error {
	for _, one := range all {
		if one.Done == 0 {
			return fmt.Errorf("no request succeeded with %d in flight: %v", one.Concurrency, one.Errors)
		}
	}
	return nil
}

// connect returns a client for each node on each connection, so that load is spread over both. They try
// everything once: what fails is to be counted.
func (b *bench) connect(ctx context.Context) (clients []*client.Client, _ func(), err error) {
	var connections []*nats.Conn
	closeAll := func() {
		for _, nc := range connections {
			nc.Close()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	for range min(b.connections, slices.Max(b.concurrency)) {
		nc, err := bus.DialClient(b.nats, "accord-bench")
		if err != nil {
			return nil, nil, err
		}
		connections = append(connections, nc)
		one, err := client.New(nc, client.Options{Prefix: b.prefix, Node: b.node, Near: b.near, Timeout: b.timeout, TryTimeout: b.timeout, Tries: 1})
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		each, err := spread(ctx, &b.remote, one)
		if err != nil {
			return nil, nil, err
		}
		clients = append(clients, each...)
	}
	return clients, closeAll, nil
}

// measure warms up, then measures.
func (m Main) measure(ctx context.Context, b *bench, clients []*client.Client, concurrency int) (measurement, error) {
	w := b.workload
	w.Category = "bench-" + strings.ToLower(ulid.Make().String()) // nobody else has streams there
	w.Streams = max(w.Streams, 0)
	targets := make([]load.Target, len(clients))
	for i := range clients {
		targets[i] = clients[i]
	}
	l, err := load.New(w, targets, concurrency)
	if err != nil {
		return measurement{}, fmt.Errorf("%w: %w", errUsage, err)
	}
	if err := l.Prepare(ctx); err != nil {
		return measurement{}, err
	}
	cfg := b.run
	cfg.Concurrency = concurrency
	if b.warmUp > 0 {
		warm := cfg
		warm.Duration = b.warmUp
		if _, err := load.Run(ctx, warm, l.Do); err != nil {
			return measurement{}, err
		}
	}
	before, retries := countersOf(ctx, clients[0]), l.Retries()
	cfg.Progress = m.live(concurrency)
	result, err := load.Run(ctx, cfg, l.Do)
	if err != nil {
		return measurement{}, err
	}
	m.clearLive()
	after := countersOf(context.WithoutCancel(ctx), clients[0])
	return newMeasurement(w, result, l.Retries()-retries, nodeWorks(before, after)), nil
}

// live shows how far a run has come, on a terminal.
func (m Main) live(concurrency int) func(load.Progress) {
	if !m.onTerminal() {
		return nil
	}
	return func(p load.Progress) {
		fmt.Fprintf(m.Stderr, "\r\x1b[K%d in flight, %4.0f s: %.0f a second, p50 %s, p99 %s, %d done, %d failed", concurrency,
			p.Elapsed.Seconds(), p.Rate, p.Latency.P50, p.Latency.P99, p.Done, p.Failed)
	}
}

func (m Main) clearLive() {
	if m.onTerminal() {
		fmt.Fprint(m.Stderr, "\r\x1b[K")
	}
}

// onTerminal tells whether somebody is watching.
func (m Main) onTerminal() bool {
	f, ok := m.Stderr.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
