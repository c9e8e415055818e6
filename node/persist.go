package node

import (
	"context"
	"fmt"

	"natsaccord/accord"
)

// persist is what one Ready wants durable, and what it owes once that is so.
type persist struct {
	header  accord.Header
	records []accord.Record
	scalars *accord.Scalars
	owed    []accord.Message
}

// write is the journal writer: it makes all that has gathered durable with one sync, then lets go what that
// covers. While one group is being synced the next one gathers, so that the group is as large as the disk is
// slow, without any timer.
func (n *Node) write(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.persists.ready:
		}
		group := n.persists.take()
		if len(group) == 0 {
			continue
		}
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
	}
}

// gather joins the records of a group; the last scalars win.
func gather(group []persist) (records []accord.Record, scalars *accord.Scalars) {
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
