package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"natsaccord/accord"
)

// persist is what one Ready wants durable, and what it owes once that is so.
type persist struct {
	header  accord.Header
	records []accord.Record
	scalars *accord.Scalars
	owed    []accord.Message
}

// idleDelay is after which time records are made durable that nothing waits for.
const idleDelay = 20 * time.Millisecond

// write is the journal writer: it makes all that has gathered durable with one sync, then lets go what that
// covers. While one group is being synced the next one gathers, so that the group is as large as the disk is
// slow, without any timer. Records that owe nobody anything wait for a group that does, or for a while.
func (n *Node) write(ctx context.Context) error {
	idle := time.NewTimer(idleDelay)
	defer idle.Stop()
	var group []persist
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.persists.ready:
			first := len(group) == 0
			group = append(group, n.persists.take()...)
			if !slices.ContainsFunc(group, persist.owes) {
				if first {
					idle.Reset(idleDelay)
				}
				continue
			}
		case <-idle.C:
		}
		if len(group) == 0 {
			continue
		}
		if err := n.sync(ctx, group); err != nil {
			return err
		}
		group = nil
	}
}

// sync makes a group durable, and lets go what it owes.
func (n *Node) sync(ctx context.Context, group []persist) error {
	records, scalars := gather(group)
	if len(records) > 0 || scalars != nil {
		if err := n.store.AppendRecords(ctx, records, scalars); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("append %d records: %w", len(records), err)
		}
		n.groups.Add(1)
	}
	n.release(group)
	return nil
}

// owes tells whether anybody waits for p. A StableOK only saves its receiver from sending the decision again.
func (p persist) owes() bool {
	return slices.ContainsFunc(p.owed, func(msg accord.Message) bool {
		_, patient := msg.Body.(accord.StableOK)
		return !patient
	})
}

// gather joins the records of a group; the last scalars win.
func gather(group []persist) (records []accord.Record, scalars *accord.Scalars) {
	n := 0
	for i := range group {
		n += len(group[i].records)
	}
	records = make([]accord.Record, 0, n)
	for i := range group {
		records = append(records, group[i].records...)
		if group[i].scalars != nil {
			scalars = group[i].scalars
		}
	}
	return records, scalars
}

// release sends what the group owed: to others over the bus, to this node itself back into the loop.
func (n *Node) release(group []persist) {
	var out, own []accord.Message
	for i := range group {
		for _, msg := range group[i].owed {
			if msg.To == n.cfg.Core.Self {
				own = append(own, msg)
			} else {
				out = append(out, msg)
			}
		}
	}
	header := group[len(group)-1].header
	if len(out) > 0 {
		n.bus.Send(header, out)
	}
	if len(own) > 0 {
		n.inputs.put(input{step: accord.Deliver{From: n.cfg.Core.Self, Header: header, Messages: own}})
	}
}
