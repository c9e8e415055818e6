package node_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// TestOneOfManyIsProposed has many want each version of a stream at the same time, through one node: one of them is made a
// transaction of, and the others wait for it and are turned away.
func TestOneOfManyIsProposed(t *testing.T) {
	const clients, versions = 20, 10
	c := nodetest.New(t, 3)
	c.Nodes[0].SetPatience(time.Hour)
	before := counter(t, c.Nodes[0], "submitted")
	for version := range uint64(versions) {
		var won, early atomic.Int64
		var running sync.WaitGroup
		for k := range clients {
			running.Go(func() {
				a := demanding("account.1", version)
				if k%2 == 0 { // the same, said in another way
					a.Conditions, a.Events[0].Version = nil, version+1
				}
				_, err := c.Nodes[0].Append(t.Context(), a)
				conflict, lost := errors.AsType[*event.ConflictError](err)
				switch {
				case err == nil:
					won.Add(1)
				case lost && conflict.Early && conflict.Have == version+1:
					early.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		running.Wait()
		if won.Load() != 1 || early.Load() != clients-1 {
			t.Fatalf("version %d: %d won, %d were turned away", version, won.Load(), early.Load())
		}
	}
	if n := counter(t, c.Nodes[0], "submitted") - before; n != versions {
		t.Errorf("%d transactions for %d versions", n, versions)
	}
}

// trusting is a tuning in which nodes that do not answer are not given up soon.
func trusting() accord.Config {
	return accord.Config{SuspectAfter: 60 * accord.Second, SuspectMin: 60 * accord.Second}
}

// TestManyCheckTheSame: what is only checked, or wanted by those who want another version, holds up nobody.
func TestManyCheckTheSame(t *testing.T) {
	const clients = 20
	c := nodetest.NewTuned(t, 3, trusting())
	c.Nodes[0].SetPatience(time.Hour)
	c.Cut(1, 0, true) // nothing is decided until all have been proposed
	c.Cut(2, 0, true)
	var running sync.WaitGroup
	for k := range clients {
		running.Go(func() {
			a := demanding("account.1", uint64(k))
			if k%2 == 0 {
				a = opened(event.Stream("account.b"), k)
				a.Conditions = []event.Condition{{Stream: "account.closed", Expect: event.ExpectNone}}
			}
			_, err := c.Nodes[0].Append(t.Context(), a)
			if _, conflict := errors.AsType[*event.ConflictError](err); err != nil && !conflict {
				t.Error(err)
			}
		})
	}
	until(t, func() bool { return inFlight(t, c.Nodes[0]) == clients })
	c.Cut(1, 0, false)
	c.Cut(2, 0, false)
	running.Wait()
}

// TestPatienceEnds: an append that waits for one which comes to nothing is proposed all the same after a while, or ends with its
// time, and then nothing was proposed.
func TestPatienceEnds(t *testing.T) {
	c := nodetest.NewTuned(t, 3, trusting())
	m := c.Nodes[0]
	m.SetPatience(time.Hour)
	c.Cut(1, 0, true)
	c.Cut(2, 0, true)
	before := counter(t, m, "submitted")
	appended := make(chan error, 2)
	try := func(timeout time.Duration) {
		a := demanding("account.1", 0)
		a.Timeout = timeout
		_, err := m.Append(t.Context(), a)
		appended <- err
	}
	go try(time.Minute)
	submitted(t, m, before+1)
	go try(20 * time.Millisecond)
	if _, unknown := errors.AsType[*event.UnknownError](<-appended); !unknown || counter(t, m, "submitted") != before+1 {
		t.Errorf("it did not end with its time: %d transactions", counter(t, m, "submitted")-before)
	}
	m.SetPatience(time.Millisecond)
	go try(time.Minute)
	submitted(t, m, before+2)
	c.Cut(1, 0, false)
	c.Cut(2, 0, false)
	won := 0
	for range 2 {
		err := <-appended
		if _, conflict := errors.AsType[*event.ConflictError](err); err == nil {
			won++
		} else if !conflict {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d won, want 1", won)
	}
}

// submitted waits until a node has made so many transactions.
func submitted(t *testing.T, m *nodetest.Member, want uint64) {
	t.Helper()
	until(t, func() bool { return counter(t, m, "submitted") >= want })
}

// inFlight returns how many appends a node has taken in.
func inFlight(t *testing.T, m *nodetest.Member) int {
	t.Helper()
	status, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.InFlight
}

// until asks again and again, for a minute, until something is so.
func until(t *testing.T, so func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	late := time.After(time.Minute)
	for !so() {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatal("what is waited for does not come")
		}
	}
}
