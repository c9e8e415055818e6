package accordtest

import (
	"reflect"
	"strconv"

	"natsaccord/accord"
)

// text is a line of a transcript under construction. Appending by hand keeps a simulation fast: it writes a
// line for everything that happens.
type text []byte

func (t *text) str(s string)         { *t = append(*t, s...) }
func (t *text) num(n uint64)         { *t = strconv.AppendUint(*t, n, 10) }
func (t *text) int(n int)            { *t = strconv.AppendInt(*t, int64(n), 10) }
func (t *text) flag(s string)        { *t = append(append(*t, ' '), s...) }
func (t *text) name(s string)        { *t = append(append(append(*t, ' '), s...), '=') }
func (t *text) node(n accord.NodeID) { t.num(uint64(n)) }

// time writes a timestamp as HLC.node, and after an epoch if it is not of the first. What it names goes
// without saying, but for fences.
func (t *text) time(at accord.Timestamp) {
	if at.IsZero() {
		t.str("none")
		return
	}
	if at.Epoch != 0 {
		t.num(uint64(at.Epoch))
		t.str(":")
	}
	t.num(at.HLC)
	t.str(".")
	t.node(at.Node)
	switch at.Kind {
	case accord.KindFence:
		t.str("F")
	case accord.KindFenceX:
		t.str("X")
	}
}

func (t *text) ballot(b accord.Ballot) {
	t.name("ballot")
	if b.IsZero() {
		t.str("0")
		return
	}
	t.time(b.Timestamp)
}

func (t *text) at(executeAt accord.Timestamp) {
	t.name("at")
	t.time(executeAt)
}

// deps writes {floor..., id id}: the floor only if there is one.
func (t *text) deps(name string, d accord.Deps) {
	t.name(name)
	t.str("{")
	if !d.Floor.IsZero() {
		t.str("<=")
		t.time(d.Floor)
		if len(d.IDs) > 0 {
			t.str(" ")
		}
	}
	t.ids(d.IDs)
	t.str("}")
}

func (t *text) ids(ids []accord.TxnID) {
	for i, id := range ids {
		if i > 0 {
			t.str(" ")
		}
		t.time(id.Timestamp)
	}
}

func (t *text) keys(keys accord.Keys) {
	t.name("keys")
	t.str("(")
	for i, key := range keys {
		if i > 0 {
			t.str(" ")
		}
		t.str(string(key))
	}
	t.str(")")
}

func (t *text) txn(txn *accord.Txn) {
	if txn != nil {
		t.keys(txn.Keys)
	}
}

func (t *text) vote(vote accord.Timestamp, fast, rejected bool) {
	t.name("vote")
	t.time(vote)
	if fast {
		t.flag("fast")
	}
	if rejected {
		t.flag("rejected")
	}
}

func (t *text) accepted(b accord.Ballot) {
	t.name("accepted")
	if b.IsZero() {
		t.str("0")
		return
	}
	t.time(b.Timestamp)
}

// record writes a Record. What is unset goes unsaid.
func (t *text) record(r accord.Record) {
	t.time(r.ID.Timestamp)
	t.flag(r.Status.String())
	t.txn(r.Txn)
	if !r.Vote.IsZero() {
		t.vote(r.Vote, r.VoteFast, r.VoteRejected)
	}
	if !r.Promised.IsZero() {
		t.name("promised")
		t.time(r.Promised.Timestamp)
	}
	if !r.AcceptedBallot.IsZero() {
		t.accepted(r.AcceptedBallot)
	}
	if !r.ExecuteAt.IsZero() {
		t.at(r.ExecuteAt)
	}
	if r.AcceptedDeps != nil {
		t.deps("proposed", *r.AcceptedDeps)
	}
	if r.Deps != nil {
		t.deps("deps", *r.Deps)
	}
}

// scalars writes Scalars. What is unset goes unsaid.
func (t *text) scalars(s accord.Scalars) {
	t.str("limit=")
	t.num(s.HLCLimit)
	for _, f := range []struct {
		name string
		at   accord.Timestamp
	}{
		{"conflictFloor", s.ConflictFloor}, {"rejectFloor", s.RejectFloor},
		{"watermark", s.Watermark}, {"redundantBefore", s.RedundantBefore},
	} {
		if !f.at.IsZero() {
			t.name(f.name)
			t.time(f.at)
		}
	}
}

// message writes from->to, the transaction and what the message says.
func (t *text) message(m accord.Message) {
	t.node(m.From)
	t.str("->")
	t.node(m.To)
	t.str(" ")
	if !m.TxnID.IsZero() {
		t.time(m.TxnID.Timestamp)
		t.str(" ")
	}
	t.body(m.Body)
}

func (t *text) body(body accord.Body) {
	t.str(kindOf(body))
	switch b := body.(type) {
	case accord.PreAccept:
		t.txn(b.Txn)
	case accord.PreAcceptOK:
		t.vote(b.Vote, b.Fast, b.Rejected)
		t.deps("deps", b.Deps)
	case accord.Accept:
		t.ballot(b.Ballot)
		t.txn(b.Txn)
		t.at(b.ExecuteAt)
		t.deps("deps", b.Deps)
	case accord.AcceptOK:
		t.ballot(b.Ballot)
		t.deps("deps", b.Deps)
	case accord.AcceptInvalidate:
		t.ballot(b.Ballot)
	case accord.AcceptInvalidateOK:
		t.ballot(b.Ballot)
	case accord.Nack:
		t.nack(b)
	case accord.Stable:
		t.stable(b)
	case accord.FetchOK:
		t.str(" ")
		t.record(b.Record)
		if b.Active {
			t.flag("active")
		}
	default:
		t.rareBody(body)
	}
}

// rareBody writes what no ordinary append needs.
func (t *text) rareBody(body accord.Body) {
	switch b := body.(type) {
	case accord.Commit:
		t.ballot(b.Ballot)
		t.txn(b.Txn)
		t.at(b.ExecuteAt)
		t.deps("deps", b.Deps)
	case accord.CommitOK:
		t.ballot(b.Ballot)
	case accord.Recover:
		t.ballot(b.Ballot)
		t.txn(b.Txn)
	case accord.RecoverOK:
		t.recoverOK(b)
	case accord.BeginInvalidation:
		t.ballot(b.Ballot)
	case accord.InvalidateOK:
		t.ballot(b.Ballot)
		t.flag(b.Status.String())
		if b.Status >= accord.StatusAccepted {
			t.accepted(b.AcceptedBallot)
		}
		t.txn(b.Txn)
	case accord.FenceAccept:
		t.deps("deps", b.Deps)
	case accord.FenceOK:
		t.name("round")
		t.num(uint64(b.Round))
		t.deps("deps", b.Deps)
	case accord.FenceCommit:
		t.deps("deps", b.Deps)
	case accord.ReadDeps:
		t.keys(b.Keys)
	case accord.ReadDepsOK:
		t.deps("deps", b.Deps)
	case accord.Pong:
		t.name("limit")
		t.num(b.HLCLimit)
	}
}

func (t *text) nack(n accord.Nack) {
	t.flag([...]string{"?", "promised", "redundant", "stable", "invalidated", "truncated", "below watermark", "clock skew", "need body"}[n.Reason])
	t.ballot(n.Ballot)
	if !n.Promised.IsZero() {
		t.name("promised")
		t.time(n.Promised.Timestamp)
	}
	if n.Stable != nil {
		t.stable(*n.Stable)
	}
}

func (t *text) stable(s accord.Stable) {
	t.txn(s.Txn)
	t.at(s.ExecuteAt)
	t.deps("deps", s.Deps)
	if s.Truncated {
		t.flag("truncated")
	}
}

func (t *text) recoverOK(r accord.RecoverOK) {
	t.ballot(r.Ballot)
	t.flag(r.Status.String())
	t.vote(r.Vote, r.Fast, r.Rejected)
	if r.Status >= accord.StatusAccepted {
		t.accepted(r.AcceptedBallot)
		t.at(r.ExecuteAt)
		t.deps("proposed", r.AcceptedDeps)
	}
	t.deps("deps", r.LocalDeps)
	if r.RuledOut {
		t.flag("ruledOut")
	}
	if len(r.Wait) > 0 {
		t.name("wait")
		t.str("{")
		t.ids(r.Wait)
		t.str("}")
	}
}

// kindOf returns the name of a message's kind: that of its Go type.
func kindOf(body accord.Body) string {
	return reflect.TypeOf(body).Name()
}
