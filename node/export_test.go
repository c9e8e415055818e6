package node

import (
	"context"
	"time"

	"natsaccord/event"
)

// ReadUpToLast reads the log as Read does up to the frontier, but with a bug: it takes what was applied last for the frontier, as if
// nothing could be applied before it any more.
func (n *Node) ReadUpToLast(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	return n.readUpTo(ctx, args, n.end, &n.changed)
}

// SetPatience sets how long an append waits for another that wants the same version.
func (n *Node) SetPatience(d time.Duration) { n.turns.patience = d }

// SetRelay sets how long the next in a line waits for the one that was let go to come back.
func (n *Node) SetRelay(d time.Duration) { n.turns.relay = d }

// InLine returns how many appends wait for their turn, and how many lines are kept.
func (n *Node) InLine() (waiting, lines int) {
	n.turns.mu.Lock()
	defer n.turns.mu.Unlock()
	for _, l := range n.turns.lines {
		waiting += len(l.waiting)
	}
	return waiting, len(n.turns.lines)
}
