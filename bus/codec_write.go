package bus

import (
	"encoding/binary"

	"natsaccord/accord"
)

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// flags packs booleans into one byte, the first as the lowest bit.
func flags(bits ...bool) (b byte) {
	for i, bit := range bits {
		if bit {
			b |= 1 << i
		}
	}
	return b
}

// appendKeys appends all lengths and then all texts, so that a reader makes one string of them.
func appendKeys(b []byte, keys accord.Keys) []byte {
	b = binary.AppendUvarint(b, uint64(len(keys)))
	for _, key := range keys {
		b = binary.AppendUvarint(b, uint64(len(key)))
	}
	for _, key := range keys {
		b = append(b, key...)
	}
	return b
}

func appendTxn(b []byte, txn *accord.Txn) []byte {
	if txn == nil {
		return append(b, 0)
	}
	b = appendKeys(append(b, 1), txn.Keys)
	b = binary.AppendUvarint(b, uint64(len(txn.Body)))
	return append(b, txn.Body...)
}

// newEpoch is set beside an id's kind if its epoch is not that of the id before.
const newEpoch = 1 << 7

// appendDeps appends ids as the distance to the one before: they are sorted, and close together in time, so
// that most take six bytes instead of fifteen.
func appendDeps(b []byte, deps accord.Deps) []byte {
	b = deps.Floor.AppendBinary(b)
	b = binary.AppendUvarint(b, uint64(len(deps.IDs)))
	var last accord.TxnID
	for _, id := range deps.IDs {
		if id.Epoch != last.Epoch {
			b = append(b, byte(id.Kind)|newEpoch)
			b = binary.AppendUvarint(b, uint64(id.Epoch))
			last.HLC = 0
		} else {
			b = append(b, byte(id.Kind))
		}
		b = binary.AppendUvarint(b, id.HLC-last.HLC)
		b = binary.AppendUvarint(b, uint64(id.Node))
		last = id
	}
	return b
}

func appendOptionalDeps(b []byte, deps *accord.Deps) []byte {
	if deps == nil {
		return append(b, 0)
	}
	return appendDeps(append(b, 1), *deps)
}

func appendStable(b []byte, m *accord.Stable) []byte {
	b = m.ExecuteAt.AppendBinary(appendTxn(b, m.Txn))
	return append(appendDeps(b, m.Deps), flags(m.Truncated))
}

func appendNack(b []byte, m accord.Nack) []byte {
	b = append(m.Ballot.AppendBinary(b), byte(m.Reason))
	b = m.Promised.AppendBinary(b)
	if m.Stable == nil {
		return append(b, 0)
	}
	return appendStable(append(b, 1), m.Stable)
}

func appendRecord(b []byte, m *accord.Record) []byte {
	b = appendTxn(m.ID.AppendBinary(b), m.Txn)
	b = m.Promised.AppendBinary(append(b, byte(m.Status)))
	b = append(m.Vote.AppendBinary(b), flags(m.VoteFast, m.VoteRejected))
	b = m.ExecuteAt.AppendBinary(m.AcceptedBallot.AppendBinary(b))
	return appendOptionalDeps(appendOptionalDeps(b, m.AcceptedDeps), m.Deps)
}

func appendRecoverOK(b []byte, m *accord.RecoverOK) []byte {
	b = append(m.Ballot.AppendBinary(b), byte(m.Status))
	b = m.ExecuteAt.AppendBinary(m.AcceptedBallot.AppendBinary(b))
	b = m.Vote.AppendBinary(appendDeps(b, m.AcceptedDeps))
	b = appendDeps(append(b, flags(m.Fast, m.Rejected, m.RuledOut)), m.LocalDeps)
	b = binary.AppendUvarint(b, uint64(len(m.Wait)))
	for _, id := range m.Wait {
		b = id.AppendBinary(b)
	}
	return b
}
