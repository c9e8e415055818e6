package node

import (
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// proposal is an encoded command on its way into a transaction.
type proposal struct {
	call  *call
	body  []byte
	keys  accord.Keys
	after accord.Timestamp
	alone bool // it cannot share a transaction
}

// gathering has proposals wait for others to share a transaction with, while others of this node are under way. What a
// transaction costs, all nodes pay, so that under load few large ones are far cheaper than many small. The wait is a fraction of
// what transactions take, which is what their callers wait for anyway; without load there is none.
type gathering struct {
	waiting []proposal
	most    int           // that share a transaction
	began   time.Time     // of the last transaction
	open    int           // transactions under way
	took    time.Duration // by a transaction, smoothed
}

const (
	gatherShare = 4                    // of the time that a transaction takes, one in so many parts is waited
	gatherMost  = 5 * time.Millisecond // and no longer than that, however far apart the nodes are
	gatherKeep  = 8                    // one in so many parts of the smoothed time is the last transaction's
	gatherFirst = 4 * time.Millisecond // what a transaction is taken to take before one has
)

func newGathering(most int) gathering { return gathering{most: most, took: gatherFirst} }

// due returns when what waits is to be proposed.
func (g *gathering) due() time.Time {
	if g.open == 0 || len(g.waiting) >= g.most {
		return time.Time{}
	}
	return g.began.Add(min(g.took/gatherShare, gatherMost))
}

// take returns the transactions that are to be proposed now.
func (g *gathering) take(now time.Time) (runs [][]proposal) {
	if len(g.waiting) == 0 || now.Before(g.due()) {
		return nil
	}
	runs = bundles(g.waiting, g.most)
	g.waiting, g.began, g.open = nil, now, g.open+len(runs)
	return runs
}

// ended notes that a transaction is over, and when it had begun.
func (g *gathering) ended(began, now time.Time) {
	g.open--
	g.took += (now.Sub(began) - g.took) / gatherKeep
}

// What a bundle may hold at most, besides its first command. The larger it is, the more there is that may conflict with it.
const (
	bundleBytes = 64 << 10
	bundleKeys  = 1 << 10
)

// bundles splits what has gathered into runs that share a transaction each, of at most so many.
func bundles(waiting []proposal, most int) (runs [][]proposal) {
	for len(waiting) > 0 {
		n := bundle(waiting, most)
		runs = append(runs, waiting[:n])
		waiting = waiting[n:]
	}
	return runs
}

// bundle returns how many of the first proposals go together.
func bundle(waiting []proposal, most int) int {
	bytes, keys := 0, 0
	for i := range waiting {
		bytes += len(waiting[i].body)
		keys += len(waiting[i].keys)
		if i > 0 && (i == most || waiting[i].alone || waiting[0].alone || bytes > bundleBytes || keys > bundleKeys) {
			return i
		}
	}
	return len(waiting)
}

// submit proposes a run as one transaction.
func (n *Node) submit(run []proposal) accord.Submit {
	parts := make([]*call, len(run))
	for i := range run {
		parts[i] = run[i].call
	}
	ref := n.refs.Add(1)
	n.calls.propose(ref, parts)
	if len(run) == 1 {
		return accord.Submit{Ref: ref, Txn: &accord.Txn{Keys: run[0].keys, Body: run[0].body}, After: run[0].after}
	}
	return accord.Submit{Ref: ref, Txn: joined(run), After: latest(run)}
}

// joined makes one transaction of a run.
func joined(run []proposal) *accord.Txn {
	size := 0
	bodies := make([][]byte, len(run))
	for i := range run {
		bodies[i] = run[i].body
		size += len(run[i].keys)
	}
	keys := make([]accord.Key, 0, size)
	for i := range run {
		keys = append(keys, run[i].keys...)
	}
	return &accord.Txn{Keys: accord.NewKeys(keys), Body: event.Bundle(bodies)}
}

// latest returns after what all of a run has to execute.
func latest(run []proposal) (after accord.Timestamp) {
	for i := range run {
		if run[i].after.After(after) {
			after = run[i].after
		}
	}
	return after
}
