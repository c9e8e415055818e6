package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// execute applies what has gathered, and reports it done. Transactions that share a key, directly or through
// others, stay together and in order; the rest is spread over the workers.
func (n *Node) execute(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.executions.ready:
		case <-n.catchUps.ready:
		}
		for _, c := range n.catchUps.take() {
			n.catchUp(ctx, c)
		}
		due := n.executions.take()
		if len(due) == 0 {
			continue
		}
		if err := n.applyAll(ctx, lanes(due, n.cfg.Workers)); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// applyAll applies the lanes side by side, and returns the first error once all are done.
func (n *Node) applyAll(ctx context.Context, lanes [][]accord.Execution) error {
	if len(lanes) == 1 {
		return n.applyLane(ctx, lanes[0])
	}
	errs := make([]error, len(lanes))
	var running sync.WaitGroup
	for i, lane := range lanes {
		running.Go(func() { errs[i] = n.applyLane(ctx, lane) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// applyLane applies a lane in batches.
func (n *Node) applyLane(ctx context.Context, lane []accord.Execution) error {
	for len(lane) > 0 {
		batch := lane[:min(len(lane), n.cfg.BatchSize)]
		lane = lane[len(batch):]
		outcomes, err := n.store.Apply(ctx, batch)
		if err != nil {
			return fmt.Errorf("apply %d transactions from %s on: %w", len(batch), batch[0].Record.ID, err)
		}
		n.inputs.put(n.executed(batch, outcomes))
	}
	return nil
}

// executed tells those who wait here what their transactions came to, and returns what is to be told the loop. They need
// not wait for that: nothing changes an outcome, and who asks for more meanwhile asks the loop.
func (n *Node) executed(batch []accord.Execution, outcomes []event.Outcome) input {
	n.applied.Add(uint64(len(batch)))
	var ended []time.Time
	ids := make([]accord.TxnID, len(batch))
	for i := range batch {
		ids[i] = batch[i].Record.ID
		parts := event.CountCommands(batch[i].Record.Txn.Body)
		if began := n.calls.finish(ids[i], outcomes[:parts:parts], nil); !began.IsZero() {
			ended = append(ended, began)
		}
		outcomes = outcomes[parts:]
	}
	return input{step: accord.Executed{IDs: ids}, ended: ended}
}

// lanes splits executions into at most count runs such that no two runs share a key, keeping their order.
func lanes(due []accord.Execution, count int) [][]accord.Execution {
	if count == 1 || len(due) == 1 {
		return [][]accord.Execution{due}
	}
	group := groups(due)
	lane := make(map[int]int) // group → lane
	var split [][]accord.Execution
	for i, x := range due {
		l, seen := lane[group[i]]
		if !seen {
			l = len(lane) % count
			lane[group[i]] = l
			if l == len(split) {
				split = append(split, nil)
			}
		}
		split[l] = append(split[l], x)
	}
	return split
}

// groups returns for each execution the first one that it is connected with through keys (union-find).
func groups(due []accord.Execution) []int {
	parent := make([]int, len(due))
	owner := make(map[accord.Key]int)
	for i := range due {
		parent[i] = i
		for _, key := range due[i].Record.Txn.Keys {
			if first, seen := owner[key]; seen {
				a, b := root(parent, first), root(parent, i)
				parent[max(a, b)] = min(a, b)
			} else {
				owner[key] = i
			}
		}
	}
	for i := range parent {
		parent[i] = root(parent, i)
	}
	return parent
}

// root follows parents to the first of a group, and shortens the way for the next time.
func root(parent []int, i int) int {
	for parent[i] != i {
		parent[i] = parent[parent[i]]
		i = parent[i]
	}
	return i
}
