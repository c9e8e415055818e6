package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// gate checks that nothing is on the wire that a crash of its sender could undo (I11, docs/protocol.md §2.6).
// It does not ask whether a message waited for a sync; it looks up what the message says in what the sender
// would find after a crash.
type gate struct{}

func newGate() gate { return gate{} }

func (g gate) observe(e event) error {
	s, ok := e.(sent)
	if !ok {
		return nil
	}
	d := durable{&s.node.store.durable, &s.node.store.live, s.node.id, s.msg}
	if err := d.header(s.header); err != nil {
		return err
	}
	return d.body()
}

// durable is what survives a crash of the node that sends a message.
type durable struct {
	*view
	live *view // what it knows now
	node accord.NodeID
	msg  accord.Message
}

func (d durable) lacks(what string) error {
	var t text
	t.message(d.msg)
	return violation("I11", "%s: %s is not durable at node %d", t, what, d.node)
}

// header checks what is gossiped: peers forget what all nodes say they have applied.
func (d durable) header(h accord.Header) error {
	if h.Watermark.After(d.scalars.Watermark) || h.RedundantBefore.After(d.scalars.RedundantBefore) {
		return d.lacks("the header's watermark " + name(h.Watermark))
	}
	return nil
}

func (d durable) body() error {
	id := d.msg.TxnID
	r, _ := d.record(id)
	switch b := d.msg.Body.(type) {
	case accord.PreAccept:
		return d.reserved(id.Timestamp)
	case accord.Accept:
		return d.reserved(b.Ballot.Timestamp)
	case accord.Recover:
		return d.reserved(b.Ballot.Timestamp)
	case accord.BeginInvalidation:
		return d.reserved(b.Ballot.Timestamp)
	case accord.AcceptInvalidate:
		return d.reserved(b.Ballot.Timestamp)
	case accord.PreAcceptOK:
		if r.Vote != b.Vote || r.VoteFast != b.Fast || r.VoteRejected != b.Rejected {
			return d.lacks("the vote")
		}
		return d.deps(b.Deps)
	case accord.AcceptOK:
		if r.AcceptedBallot.Before(b.Ballot.Timestamp) && !r.Status.Decided() {
			return d.lacks("the acceptance")
		}
		return d.deps(b.Deps)
	case accord.AcceptInvalidateOK:
		if r.AcceptedBallot.Before(b.Ballot.Timestamp) && r.Status != accord.StatusInvalidated {
			return d.lacks("the acceptance")
		}
	case accord.Commit:
		return d.reserved(b.Ballot.Timestamp)
	case accord.CommitOK:
		if r.Status < accord.StatusCommitted || r.AcceptedBallot.Before(b.Ballot.Timestamp) && !r.Status.Decided() {
			return d.lacks("the commit")
		}
	case accord.RecoverOK:
		if r.Promised.Before(b.Ballot.Timestamp) || r.Vote != b.Vote {
			return d.lacks("the promise")
		}
		return d.deps(b.LocalDeps)
	case accord.InvalidateOK:
		if r.Promised.Before(b.Ballot.Timestamp) {
			return d.lacks("the promise")
		}
	default:
		return d.rest(r)
	}
	return nil
}

// rest checks the messages that are not answers to a proposal.
func (d durable) rest(r accord.Record) error {
	switch b := d.msg.Body.(type) {
	case accord.StableOK:
		if !d.forgotten() && (!r.Status.Decided() || r.Status == accord.StatusInvalidated) {
			return d.lacks("the decision")
		}
	case accord.InvalidatedOK:
		if !d.forgotten() && r.Status != accord.StatusInvalidated {
			return d.lacks("the invalidation")
		}
	case accord.Nack:
		if b.Promised.After(r.Promised.Timestamp) && !r.Status.Decided() {
			return d.lacks("the promise")
		}
		if b.Reason == accord.NackInvalidated && r.Status != accord.StatusInvalidated || b.Stable != nil && !r.Status.Decided() {
			return d.lacks("the decision")
		}
	case accord.FetchOK:
		if !holds(r, b.Record) {
			return d.lacks("the record")
		}
	case accord.FenceCollect:
		if d.msg.TxnID.Node == d.node && d.msg.TxnID.HLC >= d.scalars.HLCLimit {
			return d.lacks("the fence's time")
		}
	case accord.FenceOK:
		if d.scalars.ConflictFloor.Before(d.msg.TxnID.Timestamp) {
			return d.lacks("the conflict floor")
		}
		return d.fence(b, r)
	case accord.ReadDepsOK:
		return d.deps(b.Deps)
	case accord.Pong:
		if b.HLCLimit > d.scalars.HLCLimit {
			return d.lacks("the clock's reservation")
		}
	}
	return nil
}

// holds tells whether a record is as far as an earlier one, or further.
func holds(r, earlier accord.Record) bool {
	switch {
	case r.Status.Decided():
		return true
	case earlier.Status.Decided():
		return false
	}
	return !r.Promised.Before(earlier.Promised.Timestamp) && !r.AcceptedBallot.Before(earlier.AcceptedBallot.Timestamp) &&
		(r.Vote == earlier.Vote || earlier.Vote.IsZero()) && (r.Status != accord.StatusNone || earlier.Status == accord.StatusNone)
}

// reserved checks that a timestamp this node has issued cannot be issued again after a restart (I8, D9). What
// the node passes to itself is seen by nobody else.
func (d durable) reserved(t accord.Timestamp) error {
	if t.Node == d.node && d.msg.To != d.node && t.HLC >= d.scalars.HLCLimit {
		return d.lacks("the reservation of " + name(t))
	}
	return nil
}

// fence checks an answer to a fence. In its second round it names what the fence was accepted with too, unless the
// fence is of no use any more: whatever it does not name, its sender must have evidence against. What it names beyond that
// is its sender's own, or what one collection of the fence named and another, accepted since, did not.
func (d durable) fence(ok accord.FenceOK, r accord.Record) error {
	if ok.Round == 1 {
		return d.deps(ok.Deps)
	}
	at := d.msg.TxnID
	switch {
	case !at.After(d.scalars.Watermark) || at.Before(d.scalars.RedundantBefore):
		return nil
	case r.AcceptedDeps == nil:
		return d.lacks("the fence")
	case r.AcceptedDeps.Floor.After(ok.Deps.Floor) || slices.ContainsFunc(r.AcceptedDeps.IDs, ok.Deps.Lacks):
		return d.lacks("evidence against what the answer does not name")
	}
	own := slices.DeleteFunc(slices.Clone(ok.Deps.IDs), func(id accord.TxnID) bool { return r.AcceptedDeps.Has(id) || !d.live.has(id) })
	return d.deps(accord.Deps{IDs: own})
}

// has tells whether a node knows what a transaction does.
func (v *view) has(id accord.TxnID) bool {
	r, ok := v.record(id)
	return ok && r.Txn != nil
}

// deps checks that a node answers only for what it would still know.
func (d durable) deps(deps accord.Deps) error {
	if deps.Floor.After(d.scalars.Watermark) {
		return d.lacks("the watermark " + name(deps.Floor))
	}
	for _, id := range deps.IDs {
		if !d.has(id) {
			return d.lacks("dependency " + name(id.Timestamp))
		}
	}
	return nil
}

// forgotten tells whether the message is about something that the sender need not know any more.
func (d durable) forgotten() bool { return d.msg.TxnID.Before(d.scalars.RedundantBefore) }
