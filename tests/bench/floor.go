package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/accord"
	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
	"natsaccord/journal"
	"natsaccord/sqlstore"
)

// floor measures an append with nothing else under way beside what it is made of.
type floor struct {
	count int
	dir   string
}

func parseFloor(args []string) (floor, error) {
	s := floor{}
	f := flag.NewFlagSet("bench floor", flag.ExitOnError)
	f.IntVar(&s.count, "count", 2000, "how often each is measured")
	f.StringVar(&s.dir, "dir", "", "directory for all data (default: a temporary one)")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.count < 1 {
		return s, fmt.Errorf("-count is %d, want at least 1", s.count)
	}
	return s, nil
}

// step is one thing that is measured: do is timed, again and again by turns with the others.
type step struct {
	name  string
	do    func(ctx context.Context, i int) error
	times []float64 // µs
}

func (s floor) run(ctx context.Context, out io.Writer) (err error) {
	dir, leave, err := workplace(out, s.dir, "accord-floor-")
	if err != nil {
		return err
	}
	defer leave()
	steps, ended, err := s.steps(ctx, dir)
	defer func() { err = errors.Join(err, ended.close()) }()
	if err != nil {
		return err
	}
	if err := s.measure(ctx, steps); err != nil {
		return err
	}
	return floorReport(out, steps)
}

// The steps, by their places.
const (
	stepAppend = iota
	stepRoundTrip
	stepSync
	stepApply
	stepPeers
	stepSyncs
)

// steps starts a cluster, and what is measured beside it.
func (s floor) steps(ctx context.Context, dir string) (steps []*step, ended closers, err error) {
	started, err := onSQLite(false)(ctx, filepath.Join(dir, "cluster"))
	if err != nil {
		return nil, nil, err
	}
	a := started.(*accordCluster)
	ended.add(a.close)
	data := newText(256, anyRandom()).data(256, anyRandom())
	near, err := client.New(a.conns[0], client.Options{Tries: 1, Near: "n1"})
	if err != nil {
		return nil, ended, err
	}
	appendOne := func(ctx context.Context, i int) error {
		name := event.Stream(fmt.Sprintf("floor.%d", i))
		_, err := near.Append(ctx, event.Append{Events: []event.Event{{Stream: name, Version: 1, Type: "Filled", Data: data}}})
		return err
	}
	var logs []*journal.Journal
	for i := range clusterSize {
		log, err := journal.Open(journal.Config{Dir: filepath.Join(dir, fmt.Sprintf("journal%d", i))}, func([]byte) error { return nil })
		if err != nil {
			return nil, ended, err
		}
		ended.add(log.Close)
		logs = append(logs, log)
	}
	store, err := sqlstore.Open(ctx, sqlstore.Config{URL: "sqlite:" + filepath.Join(dir, "apply.db"), Cluster: "floor", Node: "n1", Nodes: []string{"n1", "n2"}})
	if err != nil {
		return nil, ended, err
	}
	ended.add(store.Close)
	clients, err := echo(a, 0, a.conns[0])
	if err != nil {
		return nil, ended, err
	}
	first, err := bus.Dial(bus.Config{Node: "probe", InProcess: a.servers[0], Servers: []string{a.servers[0].URL()}})
	if err != nil {
		return nil, ended, err
	}
	ended.add(func() error { first.Close(); return nil })
	peers, err := echo(a, 1, first.Peers)
	if err != nil {
		return nil, ended, err
	}
	entry := make([]byte, 700) // about what a vote of such an append leaves in the journal
	return []*step{
		stepAppend:    {name: "append, one in flight", do: appendOne},
		stepRoundTrip: {name: "NATS round trip, client and node at one server", do: clients},
		stepSync:      {name: "journal sync", do: func(context.Context, int) error { return logs[0].Append(entry) }},
		stepApply:     {name: "apply", do: func(ctx context.Context, i int) error { return applyOne(ctx, store, i, data) }},
		stepPeers:     {name: "NATS round trip between two nodes' servers", do: peers},
		stepSyncs:     {name: "journal sync of three nodes on this disk at once", do: func(context.Context, int) error { return appendAll(logs, entry) }},
	}, ended, nil
}

// echo has whoever is connected to a server in process answer requests over a connection, and returns such a request.
func echo(a *accordCluster, server int, from *nats.Conn) (func(context.Context, int) error, error) {
	there, err := bus.Dial(bus.Config{Node: "echo", InProcess: a.servers[server], Servers: []string{a.servers[server].URL()}})
	if err != nil {
		return nil, err
	}
	a.ended.add(func() error { there.Close(); return nil })
	subject := fmt.Sprintf("floor.echo.%d", server)
	if _, err := there.Clients.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		return nil, err
	}
	if err := there.Clients.Flush(); err != nil {
		return nil, err
	}
	payload := make([]byte, 600)
	return func(ctx context.Context, _ int) error {
		for {
			_, err := from.RequestWithContext(ctx, subject, payload)
			if !errors.Is(err, nats.ErrNoResponders) { // the other server has not heard of it yet
				return err
			}
		}
	}, nil
}

// appendAll appends an entry to all journals at once, and waits for all of them.
func appendAll(logs []*journal.Journal, entry []byte) error {
	errs := make([]error, len(logs))
	var running sync.WaitGroup
	for i, log := range logs {
		running.Go(func() { errs[i] = log.Append(entry) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// applyOne has a store evaluate an append.
func applyOne(ctx context.Context, store *sqlstore.Store, i int, data []byte) error {
	stream := event.Stream(fmt.Sprintf("floor.%d", i))
	command, err := event.NewAppend(event.Append{Events: []event.Event{{Stream: stream, Version: 1, Type: "Filled", Data: data}}}, event.DefaultLimits())
	if err != nil {
		return err
	}
	body, err := command.MarshalBinary()
	if err != nil {
		return err
	}
	at := accord.Timestamp{HLC: uint64(time.Now().UnixMicro()), Kind: accord.KindWrite, Node: 1}
	rec := accord.Record{ID: accord.TxnID{Timestamp: at}, Txn: &accord.Txn{Keys: accord.NewKeys([]accord.Key{accord.Key(binary.AppendUvarint(nil, uint64(i)))}), Body: body}, Status: accord.StatusStable, ExecuteAt: at}
	_, err = store.Apply(ctx, []accord.Execution{{Record: rec}})
	return err
}

// measure times all steps by turns, after some for practice.
func (s floor) measure(ctx context.Context, steps []*step) error {
	practice := min(100, s.count)
	for i := range practice + s.count {
		for _, one := range steps {
			began := time.Now()
			if err := one.do(ctx, i); err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
			if took := time.Since(began); i >= practice {
				one.times = append(one.times, float64(took.Nanoseconds())/1000)
			}
		}
	}
	return nil
}

// floorReport prints the steps, and what an append takes beside the sum of what it has to wait for.
func floorReport(out io.Writer, steps []*step) error {
	fmt.Fprintf(out, "\n| µs, of %d each | median | p90 | p99 |\n| --- | --- | --- | --- |\n", len(steps[0].times))
	for _, one := range steps {
		slices.Sort(one.times)
		fmt.Fprintf(out, "| %s | %.0f | %.0f | %.0f |\n", one.name, quantile(one.times, 0.5), quantile(one.times, 0.9), quantile(one.times, 0.99))
	}
	middle := func(which int) float64 { return quantile(steps[which].times, 0.5) }
	sum := middle(stepRoundTrip) + middle(stepSync) + middle(stepApply)
	here := sum + middle(stepPeers) + middle(stepSyncs) - middle(stepSync)
	_, err := fmt.Fprintf(out, "\nan append is %.2f × (round trip + sync + apply), which is %.0f µs; with the round trip between nodes, and three journals on this disk, %.2f × %.0f µs\n",
		middle(stepAppend)/sum, sum, middle(stepAppend)/here, here)
	return err
}
