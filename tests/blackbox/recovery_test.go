package blackbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"natsaccord/accord"
	"natsaccord/client"
	"natsaccord/event"
	"natsaccord/tests/history"
)

// recoveryTimeout is when a node begins to look after a transaction whose coordinator is silent: accord.Config.RecoverAfter.
const recoveryTimeout = 500 * time.Millisecond

// TestDeadCoordinator kills a node with appends under way, again and again, and measures how long it takes until the others have finished or
// ruled out every one of them: until their frontiers, which no undecided transaction lets pass, are behind an append that was made after the kill.
// By turns a second node is killed too, and started again; then it is measured from when that one is ready.
//
// That all are finished or ruled out is demanded; how soon is demanded only with -bound, for that is up to the machine too.
func TestDeadCoordinator(t *testing.T) {
	seed := freshSeed(t)
	d := &deaths{cluster: startCluster(t, sqliteStorage(t, 3)), ledger: newLedger(), rng: rand.New(rand.NewPCG(seed, 0))}
	for round := 0; len(d.took) < settings.rounds; round++ {
		if round > 10*settings.rounds {
			t.Fatalf("only %d of %d kills left anything to others", len(d.took), round)
		}
		d.round(t, round%2 == 1)
	}
	slices.Sort(d.took)
	last := d.took[len(d.took)-1]
	t.Logf("%d kills left transactions to others, which had to recover %d and took, until all was decided, %s in the middle and %s at most (2 × the recovery timeout is %s)",
		len(d.took), d.recovered, d.took[len(d.took)/2], last, 2*recoveryTimeout)
	if settings.bound && last > 2*recoveryTimeout {
		t.Errorf("took %s, want at most %s: %v", last, 2*recoveryTimeout, d.took)
	}
	finish(t, &workload{cluster: d.cluster, ledger: d.ledger, reads: 1})
}

// deaths are the kills of a run.
type deaths struct {
	cluster   *cluster
	ledger    *ledger
	rng       *rand.Rand
	took      []time.Duration
	recovered uint64
}

// round kills n1 under load, and n2 with it if both is set. It counts if anything had to be recovered.
func (d *deaths) round(t *testing.T, both bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.cluster.ready(ctx); err != nil {
		t.Fatal(err)
	}
	before := d.recoveries(t, ctx, 2)
	if !both { // then it counts from anew
		before += d.recoveries(t, ctx, 1)
	}
	killed := d.killUnderLoad(t, ctx, both)
	if both {
		if err := d.cluster.nodes[1].start(); err != nil {
			t.Fatal(err)
		}
		if err := poll(ctx, func() error { return d.cluster.isReady(ctx, 1, 1) }); err != nil {
			t.Fatal(err)
		}
		killed = time.Now()
	}
	if err := d.decided(ctx, 1, 2); err != nil {
		t.Fatal(err)
	}
	took := time.Since(killed).Round(time.Millisecond)
	if n := d.recoveries(t, ctx, 2) + d.recoveries(t, ctx, 1) - before; n > 0 {
		d.recovered += n
		d.took = append(d.took, took)
		t.Logf("n1 killed, n2 too: %v: %d to recover, all decided after %s", both, n, took)
	}
	if err := d.cluster.nodes[0].start(); err != nil {
		t.Fatal(err)
	}
}

// killUnderLoad has clients append through n1, kills it when it has answered some, and returns when it did so.
func (d *deaths) killUnderLoad(t *testing.T, ctx context.Context, both bool) time.Time {
	t.Helper()
	const clients = 16
	at, err := d.cluster.at(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var answered atomic.Int64
	enough, when := make(chan struct{}), int64(50+d.rng.IntN(100))
	var running sync.WaitGroup
	loading, stop := context.WithCancel(ctx)
	defer stop()
	for i := range clients {
		running.Go(func() {
			for loading.Err() == nil {
				if d.append(loading, at, i) == history.Committed && answered.Add(1) == when {
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case <-ctx.Done():
		t.Fatal("n1 does not answer: ", ctx.Err())
	}
	killed := time.Now()
	if err := d.cluster.nodes[0].kill(); err != nil {
		t.Fatal(err)
	}
	if both {
		if err := d.cluster.nodes[1].kill(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	running.Wait()
	return killed
}

// append appends as one of several clients, to a stream of its own or one that all share.
func (d *deaths) append(ctx context.Context, c *client.Client, number int) history.Outcome {
	streams := []event.Stream{event.Stream(fmt.Sprint("own.", number)), "shared.all"}
	r := d.ledger.request(fmt.Sprint("client ", number), event.Append{Events: []event.Event{{Stream: streams[number%2], Type: "Noted", Data: []byte(`{}`)}}})
	_ = d.ledger.do(ctx, c, r) // the outcome tells
	return r.outcome
}

// decided waits until some nodes' frontiers are behind an append that is made now.
func (d *deaths) decided(ctx context.Context, which ...int) error {
	at, err := d.cluster.at(which[0], which[0])
	if err != nil {
		return err
	}
	var probe *request
	err = poll(ctx, func() error {
		probe = d.ledger.request("probe", event.Append{Events: []event.Event{{Stream: "probe.all", Type: "Probed", Data: []byte(`{}`)}}})
		return d.ledger.do(ctx, at, probe)
	})
	if err != nil {
		return err
	}
	for _, i := range which {
		err := poll(ctx, func() error {
			s, err := d.cluster.status(ctx, i, i)
			if err == nil && s.Frontier < probe.receipt.Position {
				err = fmt.Errorf("the frontier of %s is %s, want %s", s.Name, s.Frontier, probe.receipt.Position)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return d.covers(probe)
}

// covers checks that a probe stands behind all that was acknowledged.
func (d *deaths) covers(probe *request) error {
	at, err := accord.ParseTimestamp(probe.receipt.Position.ExecuteAt())
	if err != nil {
		return err
	}
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	for _, r := range d.ledger.requests {
		if r.receipt.Position > probe.receipt.Position {
			return fmt.Errorf("request %s stands at %s, behind the probe at %s", r.append.RequestID, r.receipt.Position, at)
		}
	}
	return nil
}

// recoveries returns how many transactions a node has begun to recover since it was started.
func (d *deaths) recoveries(t *testing.T, ctx context.Context, i int) uint64 {
	t.Helper()
	var n uint64
	err := poll(ctx, func() error {
		s, err := d.cluster.status(ctx, i, i)
		n = s.Counters["recoveries"]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
