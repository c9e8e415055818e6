package bus

import (
	"encoding/binary"
	"fmt"

	"natsaccord/accord"
)

// The tags of bodies, as they stand in frames. Numbers are never used again for something else.
const (
	tagPreAccept = iota + 1
	tagPreAcceptOK
	tagAccept
	tagAcceptOK
	tagAcceptInvalidate
	tagAcceptInvalidateOK
	tagNack
	tagStable
	tagStableOK
	tagInvalidated
	tagInvalidatedOK
	tagFetch
	tagFetchOK
	tagFenceCollect
	tagFenceAccept
	tagFenceOK
	tagFenceCommit
	tagFenceFetch
	tagReadDeps
	tagReadDepsOK
	tagPing
	tagPong
	tagCommit
	tagCommitOK
	tagRecover
	tagRecoverOK
	tagBeginInvalidation
	tagInvalidateOK
)

// appendBody appends a tag and the fields of body in the order of their declaration. A body it does not know
// is our own mistake.
func appendBody(b []byte, body accord.Body) []byte {
	switch m := body.(type) {
	case accord.PreAccept:
		return appendTxn(append(b, tagPreAccept), m.Txn)
	case accord.PreAcceptOK:
		b = m.Vote.AppendBinary(append(b, tagPreAcceptOK))
		return appendDeps(append(b, flags(m.Fast, m.Rejected)), m.Deps)
	case accord.Accept:
		b = appendTxn(m.Ballot.AppendBinary(append(b, tagAccept)), m.Txn)
		return appendDeps(m.ExecuteAt.AppendBinary(b), m.Deps)
	case accord.AcceptOK:
		return appendDeps(m.Ballot.AppendBinary(append(b, tagAcceptOK)), m.Deps)
	case accord.AcceptInvalidate:
		return m.Ballot.AppendBinary(append(b, tagAcceptInvalidate))
	case accord.AcceptInvalidateOK:
		return m.Ballot.AppendBinary(append(b, tagAcceptInvalidateOK))
	case accord.Nack:
		return appendNack(append(b, tagNack), m)
	case accord.Stable:
		return appendStable(append(b, tagStable), &m)
	case accord.StableOK:
		return append(b, tagStableOK)
	case accord.Invalidated:
		return append(b, tagInvalidated)
	case accord.InvalidatedOK:
		return append(b, tagInvalidatedOK)
	case accord.Fetch:
		return append(b, tagFetch)
	case accord.FetchOK:
		return append(appendRecord(append(b, tagFetchOK), &m.Record), flags(m.Active))
	}
	return appendRareBody(b, body)
}

// appendRareBody appends what neither the fast nor the slow path sends.
func appendRareBody(b []byte, body accord.Body) []byte {
	switch m := body.(type) {
	case accord.FenceCollect:
		return append(b, tagFenceCollect)
	case accord.FenceAccept:
		return appendDeps(append(b, tagFenceAccept), m.Deps)
	case accord.FenceOK:
		return appendDeps(append(b, tagFenceOK, m.Round), m.Deps)
	case accord.FenceCommit:
		return appendDeps(append(b, tagFenceCommit), m.Deps)
	case accord.FenceFetch:
		return append(b, tagFenceFetch)
	case accord.ReadDeps:
		return appendKeys(append(b, tagReadDeps), m.Keys)
	case accord.ReadDepsOK:
		return appendDeps(append(b, tagReadDepsOK), m.Deps)
	case accord.Ping:
		return append(b, tagPing)
	case accord.Pong:
		return m.RedundantBefore.AppendBinary(binary.BigEndian.AppendUint64(append(b, tagPong), m.HLCLimit))
	case accord.Commit:
		b = appendTxn(m.Ballot.AppendBinary(append(b, tagCommit)), m.Txn)
		return appendDeps(m.ExecuteAt.AppendBinary(b), m.Deps)
	case accord.CommitOK:
		return m.Ballot.AppendBinary(append(b, tagCommitOK))
	case accord.Recover:
		return appendTxn(m.Ballot.AppendBinary(append(b, tagRecover)), m.Txn)
	case accord.RecoverOK:
		return appendRecoverOK(append(b, tagRecoverOK), &m)
	case accord.BeginInvalidation:
		return m.Ballot.AppendBinary(append(b, tagBeginInvalidation))
	case accord.InvalidateOK:
		b = append(m.Ballot.AppendBinary(append(b, tagInvalidateOK)), byte(m.Status))
		return appendTxn(m.AcceptedBallot.AppendBinary(b), m.Txn)
	}
	panic(fmt.Sprintf("bus: body %T has no encoding", body))
}

// body reads what appendBody wrote.
func (r *reader) body() accord.Body {
	switch tag := r.byte(); tag {
	case tagPreAccept:
		return accord.PreAccept{Txn: r.txn()}
	case tagPreAcceptOK:
		m := accord.PreAcceptOK{Vote: r.timestamp()}
		r.flags(&m.Fast, &m.Rejected)
		m.Deps = r.deps()
		return m
	case tagAccept:
		return accord.Accept{Ballot: r.ballot(), Txn: r.txn(), ExecuteAt: r.timestamp(), Deps: r.deps()}
	case tagAcceptOK:
		return accord.AcceptOK{Ballot: r.ballot(), Deps: r.deps()}
	case tagAcceptInvalidate:
		return accord.AcceptInvalidate{Ballot: r.ballot()}
	case tagAcceptInvalidateOK:
		return accord.AcceptInvalidateOK{Ballot: r.ballot()}
	case tagNack:
		return r.nack()
	case tagStable:
		return r.stable()
	case tagStableOK:
		return accord.StableOK{}
	case tagInvalidated:
		return accord.Invalidated{}
	case tagInvalidatedOK:
		return accord.InvalidatedOK{}
	case tagFetch:
		return accord.Fetch{}
	case tagFetchOK:
		m := accord.FetchOK{Record: r.record()}
		r.flags(&m.Active)
		return m
	default:
		return r.rareBody(tag)
	}
}

// rareBody reads what appendRareBody wrote.
func (r *reader) rareBody(tag byte) accord.Body {
	switch tag {
	case tagFenceCollect:
		return accord.FenceCollect{}
	case tagFenceAccept:
		return accord.FenceAccept{Deps: r.deps()}
	case tagFenceOK:
		return accord.FenceOK{Round: r.byte(), Deps: r.deps()}
	case tagFenceCommit:
		return accord.FenceCommit{Deps: r.deps()}
	case tagFenceFetch:
		return accord.FenceFetch{}
	case tagReadDeps:
		return accord.ReadDeps{Keys: r.keys()}
	case tagReadDepsOK:
		return accord.ReadDepsOK{Deps: r.deps()}
	case tagPing:
		return accord.Ping{}
	case tagPong:
		return accord.Pong{HLCLimit: r.uint64(), RedundantBefore: r.timestamp()}
	case tagCommit:
		return accord.Commit{Ballot: r.ballot(), Txn: r.txn(), ExecuteAt: r.timestamp(), Deps: r.deps()}
	case tagCommitOK:
		return accord.CommitOK{Ballot: r.ballot()}
	case tagRecover:
		return accord.Recover{Ballot: r.ballot(), Txn: r.txn()}
	case tagRecoverOK:
		return r.recoverOK()
	case tagBeginInvalidation:
		return accord.BeginInvalidation{Ballot: r.ballot()}
	case tagInvalidateOK:
		return accord.InvalidateOK{Ballot: r.ballot(), Status: r.status(), AcceptedBallot: r.ballot(), Txn: r.txn()}
	}
	r.fail("body tag %d", tag)
	return nil
}

// phaseOf says on which subject a body travels. A Nack does not say what it refuses, only at which ballot: at
// ballot zero it answers a first coordinator, above that a recovery.
func phaseOf(body accord.Body) Phase {
	switch m := body.(type) {
	case accord.PreAccept, accord.PreAcceptOK:
		return PhasePreAccept
	case accord.Accept, accord.AcceptOK:
		return PhaseAccept
	case accord.Commit, accord.CommitOK:
		return PhaseCommit
	case accord.Stable, accord.StableOK:
		return PhaseStable
	case accord.Recover, accord.RecoverOK:
		return PhaseRecover
	case accord.Nack:
		if m.Ballot.IsZero() {
			return PhasePreAccept
		}
		return PhaseRecover
	case accord.BeginInvalidation, accord.InvalidateOK, accord.AcceptInvalidate, accord.AcceptInvalidateOK,
		accord.Invalidated, accord.InvalidatedOK:
		return PhaseInvalidate
	case accord.FenceCollect, accord.FenceAccept, accord.FenceOK, accord.FenceCommit, accord.FenceFetch:
		return PhaseFence
	case accord.Fetch, accord.FetchOK, accord.ReadDeps, accord.ReadDepsOK, accord.Ping, accord.Pong:
		return PhaseFetch
	}
	panic(fmt.Sprintf("bus: body %T has no phase", body))
}
