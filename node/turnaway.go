package node

import "natsaccord/event"

// turnAway refuses an append that is certain to lose by what is applied here, and makes no transaction of it. The
// refusal is not remembered: a repeat is refused again, since versions only grow. docs/decisions/0005-turning-away.md.
func (n *Node) turnAway(cmd event.Command) error {
	if n.admit() != nil {
		return nil // propose says why
	}
	conflicts := n.store.Doomed(cmd)
	if len(conflicts) == 0 {
		return nil
	}
	n.turnedAway.Add(1)
	return &event.ConflictError{Conflict: conflicts[0], All: conflicts, RequestID: requestID(cmd), Early: true}
}
