package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"natsaccord/client"
	"natsaccord/embeddednats"
	"natsaccord/event"
	"natsaccord/sqlstore"
)

// farSystem is something that appends durably from every region of an area.
type farSystem interface {
	// put appends to a stream whatever version it has.
	put(ctx context.Context, region int, stream string, data []byte) error

	// settle has everything where it is to be before a measurement.
	settle(ctx context.Context) error

	// model is how long an append from a region has to take as things are now.
	model(ctx context.Context, a area, region int) (time.Duration, error)

	// fastPaths returns how many appends of a region were decided in one round trip, and how many in all; zeros if it
	// makes no difference.
	fastPaths(ctx context.Context, region int) (fast, all uint64, err error)

	net() *farServers
	close() error
}

// farCandidates are the systems that can be measured in an area.
func farCandidates(a area, electorate voting) []farCandidate {
	accord := func(v voting) func(context.Context, string) (farSystem, error) {
		return func(ctx context.Context, dir string) (farSystem, error) { return startFarAccord(ctx, a, dir, v) }
	}
	all := []farCandidate{
		{"jetstream", func(ctx context.Context, dir string) (farSystem, error) { return startFarJetStream(ctx, a, dir) }},
		{"accord", accord(a.all())},
	}
	if a.fewer().fast < a.all().fast {
		all = append(all, farCandidate{"accord-g", accord(a.fewer())})
	}
	if electorate.fast > 0 {
		all = append(all, farCandidate{"accord-e", accord(electorate)})
	}
	return all
}

type farCandidate struct {
	name  string
	start func(ctx context.Context, dir string) (farSystem, error)
}

// farAccord is a node with SQLite in each region, and a client beside it.
type farAccord struct {
	accordCluster
	far    *farServers
	voting voting
}

func startFarAccord(ctx context.Context, a area, dir string, v voting) (_ farSystem, err error) {
	f := &farAccord{accordCluster: accordCluster{fast: v.fast}, voting: v}
	for _, region := range v.electorate {
		f.electorate = append(f.electorate, fmt.Sprintf("n%d", region+1))
	}
	if f.far, err = startFar(ctx, a, embeddednats.Config{Name: "accord"}); err != nil {
		return nil, err
	}
	f.ended.add(f.far.close)
	f.servers = f.far.servers
	var stores []sqlstore.Config
	for _, region := range a.regions {
		stores = append(stores, sqlstore.Config{URL: "sqlite:" + filepath.Join(dir, region+".db")})
	}
	if err := f.join(ctx, stores, client.Options{}, true); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *farAccord) put(ctx context.Context, region int, stream string, data []byte) error {
	_, err := f.clients[region].Append(ctx, event.Append{Events: []event.Event{{Stream: event.Stream("bench." + stream), Type: "Filled", Data: data}}})
	return err
}

// settle waits until every region is served as always, and forgets what the clients have learned: a region that was cut
// off before would still be asked elsewhere for a while.
func (f *farAccord) settle(ctx context.Context) error {
	for region := range f.clients {
		near := client.Options{Near: fmt.Sprintf("n%d", region+1)}
		for took := farTimeout; took > farTimeout/5; {
			c, err := client.New(f.conns[region], near)
			if err != nil {
				return err
			}
			start := time.Now()
			f.clients[region] = c
			if err := f.put(ctx, region, "settle", farData()); err == nil {
				took = time.Since(start)
			}
			if ctx.Err() != nil {
				return fmt.Errorf("serve %s again: %w", f.far.area.regions[region], ctx.Err())
			}
		}
	}
	return nil
}

func (f *farAccord) model(_ context.Context, a area, region int) (time.Duration, error) {
	return a.leaderless(region, f.voting), nil
}

func (f *farAccord) fastPaths(ctx context.Context, region int) (fast, all uint64, err error) {
	s, err := f.members[region].Status(ctx)
	if err != nil {
		return 0, 0, err
	}
	return s.Counters["fast"], s.Counters["fast"] + s.Counters["slow"] + s.Counters["recovered"], nil
}

func (f *farAccord) net() *farServers { return f.far }

// farJetStream is a stream with a replica in each region, synced always, and a client in each.
type farJetStream struct {
	jetStream
	far *farServers
}

// farLeader is where the stream's leader is placed while its region is up.
const farLeader = 0

func startFarJetStream(ctx context.Context, a area, dir string) (_ farSystem, err error) {
	f := &farJetStream{}
	options := func(o *server.Options) { o.SyncAlways = true }
	if f.far, err = startFar(ctx, a, embeddednats.Config{Name: "jetstream", JetStream: true, StoreDir: dir, Options: options}); err != nil {
		return nil, err
	}
	f.ended.add(f.far.close)
	if err := f.use(ctx, f.far.servers); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *farJetStream) put(ctx context.Context, region int, stream string, data []byte) error {
	_, err := f.clients[region].PublishMsg(ctx, &nats.Msg{Subject: "bench." + stream, Data: data}, jetstream.WithRetryAttempts(0))
	return err
}

// settle places the leader. It takes a few elections, in which servers that lag may win.
func (f *farJetStream) settle(ctx context.Context) error {
	want := f.far.area.regions[farLeader]
	look := time.NewTicker(500 * time.Millisecond)
	defer look.Stop()
	for {
		leader, err := f.leader(ctx, farLeader)
		if err == nil && leader == want {
			return nil
		}
		if err == nil && leader != "" {
			f.stepDown(ctx, want)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("place the leader, which is %q (%v): %w", leader, err, ctx.Err())
		}
	}
}

// stepDown asks the leader to make way for another. The answer says nothing that is not seen later.
func (f *farJetStream) stepDown(ctx context.Context, to string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	ask, err := json.Marshal(map[string]any{"placement": map[string]string{"preferred": to}})
	if err != nil {
		panic("bench: a map of strings makes no JSON: " + err.Error())
	}
	_, _ = f.clients[farLeader].Conn().RequestWithContext(ctx, fmt.Sprintf(server.JSApiStreamLeaderStepDownT, "bench"), ask)
}

// leader asks the region who leads.
func (f *farJetStream) leader(ctx context.Context, region int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := f.clients[region].Stream(ctx, "bench")
	if err != nil {
		return "", err
	}
	return stream.CachedInfo().Cluster.Leader, nil
}

func (f *farJetStream) model(ctx context.Context, a area, region int) (time.Duration, error) {
	leader, err := f.leader(ctx, region)
	if err != nil {
		return 0, fmt.Errorf("ask who leads: %w", err)
	}
	return a.led(region, slices.Index(a.regions, leader)), nil
}

func (f *farJetStream) fastPaths(context.Context, int) (fast, all uint64, err error) {
	return 0, 0, nil
}

func (f *farJetStream) net() *farServers { return f.far }
