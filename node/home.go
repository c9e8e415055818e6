package node

import (
	"errors"

	"natsaccord/accord"
	"natsaccord/event"
)

// withHome has a conflict name the node through which the stream's last event came, so that whoever wants to write to it next
// asks there, and waits for its turn: of those who meet at one node one at a time is proposed, and of those who come through
// several each node has one. docs/decisions/0007-homes.md.
func (n *Node) withHome(err error) error {
	if conflict, ok := errors.AsType[*event.ConflictError](err); ok {
		conflict.Node = n.homeOf(conflict.Stream)
	}
	return err
}

// homeOf returns the node that coordinated the last event of a stream; empty if that is not known here. All nodes that know it
// agree. When the event executed would not do: any node may have raised that timestamp, and losers would be sent where the winner
// is not.
func (n *Node) homeOf(stream event.Stream) string {
	txnID, _ := event.SplitPartID(n.store.LastTxn(stream))
	id, err := accord.ParseTimestamp(txnID)
	if err != nil || id.Node == 0 || int(id.Node) > len(n.cfg.Nodes) { // none, or not of consensus
		return ""
	}
	return n.cfg.Nodes[id.Node-1]
}
