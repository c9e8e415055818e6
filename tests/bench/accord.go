package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/accord"
	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/embeddednats"
	"natsaccord/event"
	"natsaccord/node"
	"natsaccord/sqlstore"
	"natsaccord/sqlstore/pgtest"
)

// clusterSize is how many servers, members and nodes every system has.
const clusterSize = 3

// accordCluster is three nodes, each connected in process to a NATS server of its own, and a client over TCP to
// each of the servers.
type accordCluster struct {
	ended      closers
	servers    embeddednats.Cluster
	members    []*accordMember
	conns      []*nats.Conn // of the clients
	clients    []*client.Client
	postgres   pgtest.Server
	fast       int      // fast quorum; zero: the core's default
	electorate []string // names of nodes; nil: all
}

// accordMember is one node and what it stands on.
type accordMember struct {
	*node.Node
	store *sqlstore.Store
	peers *bus.Peers
}

// closers are run in reverse order.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c closers) close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i]())
	}
	return errors.Join(errs...)
}

// onSQLite gives each node a file, and its journal files beside it or a place in the database.
func onSQLite(journalInSQL bool) func(context.Context, string) (system, error) {
	return func(ctx context.Context, dir string) (system, error) {
		a := &accordCluster{}
		var stores []sqlstore.Config
		for i := range clusterSize {
			cfg := sqlstore.Config{URL: "sqlite:" + filepath.Join(dir, fmt.Sprintf("n%d.db", i+1))}
			if journalInSQL {
				cfg.Journal = sqlstore.JournalInSQL
			}
			stores = append(stores, cfg)
		}
		return a, a.start(ctx, stores)
	}
}

// onPostgres gives each node a database of one server, and its journal files or a place in the database.
func onPostgres(journalInSQL bool) func(context.Context, string) (system, error) {
	return func(ctx context.Context, dir string) (system, error) {
		a := &accordCluster{}
		a.ended.add(a.postgres.Stop)
		var stores []sqlstore.Config
		for i := range clusterSize {
			url, _, err := a.postgres.Create(ctx)
			if err != nil {
				return nil, errors.Join(err, a.close())
			}
			cfg := sqlstore.Config{URL: url, Journal: filepath.Join(dir, fmt.Sprintf("n%d.journal", i+1))}
			if journalInSQL {
				cfg.Journal = sqlstore.JournalInSQL
			}
			stores = append(stores, cfg)
		}
		return a, a.start(ctx, stores)
	}
}

func (a *accordCluster) start(ctx context.Context, stores []sqlstore.Config) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.servers, err = embeddednats.StartCluster(ctx, len(stores), embeddednats.Config{Name: "accord"}); err != nil {
		return err
	}
	a.ended.add(func() error { a.servers.Shutdown(); return nil })
	return a.join(ctx, stores, client.Options{Tries: 1, TryTimeout: time.Minute}, false) // the context says how long it may take
}

// join starts a node with each of the stores on the servers, and a client of each server, which asks the node there
// first or whichever NATS chooses.
func (a *accordCluster) join(ctx context.Context, stores []sqlstore.Config, options client.Options, near bool) error {
	names := nodeNames(len(stores))
	for i := range names {
		if err := a.startNode(ctx, names, i, stores[i]); err != nil {
			return err
		}
	}
	for i, url := range a.servers.URLs() {
		nc, err := nats.Connect(url)
		if err != nil {
			return err
		}
		a.ended.add(func() error { nc.Close(); return nil })
		if near {
			options.Near = names[i]
		}
		c, err := client.New(nc, options)
		if err != nil {
			return err
		}
		a.conns, a.clients = append(a.conns, nc), append(a.clients, c)
	}
	return nil
}

func nodeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d", i+1)
	}
	return names
}

// startNode starts one node as the program does.
func (a *accordCluster) startNode(ctx context.Context, names []string, i int, cfg sqlstore.Config) error {
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("ACCORD_BENCH_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	cfg.Cluster, cfg.Node, cfg.Nodes, cfg.Logger = "bench", names[i], names, logger
	store, err := sqlstore.Open(ctx, cfg)
	if err != nil {
		return err
	}
	a.ended.add(store.Close)
	conn, err := bus.Dial(bus.Config{Node: names[i], InProcess: a.servers[i], Servers: []string{a.servers[i].URL()}, Logger: logger})
	if err != nil {
		return err
	}
	a.ended.add(func() error { conn.Close(); return nil })
	subjects := bus.Subjects{Cluster: "bench"}
	peers, err := bus.NewPeers(conn.Peers, bus.PeersConfig{Subjects: subjects, Self: names[i], Nodes: names, Incarnation: store.Incarnation(), Logger: logger})
	if err != nil {
		return err
	}
	a.ended.add(func() error { peers.Close(); return nil })
	n, err := node.New(node.Config{Name: names[i], Cluster: "bench", Nodes: names, Electorate: a.electorate, Logger: logger, Core: accord.Config{FastQuorum: a.fast}}, peers, store)
	if err != nil {
		return err
	}
	peers.AnswerLog(n.AnswerLog) // a node that was too slow has to catch up
	if err := peers.Receive(n.Deliver); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(running) }()
	a.ended.add(func() error { stop(); return <-ended })
	if err := n.Ready(ctx); err != nil {
		return err
	}
	service, err := bus.NewService(conn.Clients, bus.ServiceConfig{Subjects: subjects, Node: names[i], Logger: logger}, n)
	if err != nil {
		return err
	}
	a.ended.add(service.Stop)
	a.members = append(a.members, &accordMember{n, store, peers})
	return conn.Clients.Flush()
}

func (a *accordCluster) append(ctx context.Context, worker int, stream string, version uint64, data []byte) error {
	name := event.Stream("bench." + stream)
	_, err := a.clients[worker%len(a.clients)].Append(ctx, event.Append{
		Conditions: []event.Condition{{Stream: name, Expect: event.Expect(version)}},
		Events:     []event.Event{{Stream: name, Type: "Filled", Data: data}},
	})
	if conflict, ok := errors.AsType[*event.ConflictError](err); ok {
		return &conflictError{conflict.Have, true}
	}
	return err
}

func (a *accordCluster) version(ctx context.Context, worker int, stream string) (uint64, error) {
	head, err := a.clients[worker%len(a.clients)].Head(ctx, event.Stream("bench."+stream))
	return head.Version, err
}

func (a *accordCluster) close() error { return a.ended.close() }
