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
	c := nodetest.NewTuned(t, 3, trusting())
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
	until(t, func() bool { _, lines := c.Nodes[0].InLine(); return lines == 0 })
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

// gathered has many want the first version of a stream while nothing is decided, then lets one win, and hands over what each
// of them hears.
func gathered(t *testing.T, c *nodetest.Cluster, clients int, do func(err error)) {
	t.Helper()
	m := c.Nodes[0]
	c.Cut(1, 0, true)
	c.Cut(2, 0, true)
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			_, err := m.Append(t.Context(), demanding("account.1", 0))
			do(err)
		})
	}
	until(t, func() bool { waiting, _ := m.InLine(); return waiting == clients-1 })
	c.Cut(1, 0, false)
	c.Cut(2, 0, false)
	running.Wait()
	if waiting, lines := m.InLine(); waiting > 0 || lines > 1 { // one may be kept until its relay comes
		t.Errorf("%d are left in %d lines", waiting, lines)
	}
}

// TestOneAfterTheOtherIsLetGo has those who lost come back until they win: each loses once, since the others are let go later.
func TestOneAfterTheOtherIsLetGo(t *testing.T) {
	const clients = 8
	c := nodetest.NewTuned(t, 3, trusting())
	m := c.Nodes[0]
	m.SetPatience(time.Hour)
	m.SetRelay(time.Hour) // all come back
	gathered(t, c, clients, func(err error) {
		for lost := 0; err != nil; lost++ {
			conflict, early := errors.AsType[*event.ConflictError](err)
			if !early || !conflict.Early || lost > 0 {
				t.Errorf("lost %d times before: %v", lost, err)
				return
			}
			_, err = m.Append(t.Context(), demanding("account.1", conflict.Have))
		}
	})
	if n := counter(t, m, "turned_away"); n != clients-1 {
		t.Errorf("%d were turned away, want %d", n, clients-1)
	}
}

// TestWhoWaitsInVainIsTurnedAway: the one that was let go does not come back, and nobody else comes. The others are turned away
// when their patience ends, without a transaction.
func TestWhoWaitsInVainIsTurnedAway(t *testing.T) {
	const clients = 4
	c := nodetest.NewTuned(t, 3, trusting())
	m := c.Nodes[0]
	m.SetPatience(2 * time.Second)
	m.SetRelay(time.Hour)
	before := counter(t, m, "submitted")
	var won atomic.Int64
	gathered(t, c, clients, func(err error) {
		if conflict, lost := errors.AsType[*event.ConflictError](err); err == nil {
			won.Add(1)
		} else if !lost || !conflict.Early {
			t.Error(err)
		}
	})
	if n := counter(t, m, "submitted") - before; n != 1 || won.Load() != 1 {
		t.Errorf("%d transactions, %d won, want 1 and 1", n, won.Load())
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
