package accord

import (
	"slices"
)

// Deps says which transactions a transaction must wait for: those it names, and everything with an
// executeAt at or before Floor. It is immutable. docs/protocol.md §2.3.
//
// It answers with three values on purpose: a set is silent about a transaction below its floor that it does
// not name, and silence is neither "has" nor "lacks".
type Deps struct {
	Floor Timestamp
	IDs   []TxnID // sorted, unique
}

func compareTxnID(a, b TxnID) int { return a.Compare(b.Timestamp) }

// NewDeps returns the set of ids above floor. It takes over the slice.
func NewDeps(floor Timestamp, ids []TxnID) Deps {
	slices.SortFunc(ids, compareTxnID)
	return Deps{Floor: floor, IDs: slices.Compact(ids)}
}

// Has tells whether d names r.
func (d Deps) Has(r TxnID) bool {
	_, ok := slices.BinarySearchFunc(d.IDs, r, compareTxnID)
	return ok
}

// Lacks tells whether d vouches that it was made without knowing r: r is not named and not below the floor.
func (d Deps) Lacks(r TxnID) bool { return r.After(d.Floor) && !d.Has(r) }

// Meet returns the set that lacks what d or e lacks, and is silent about what one of them is silent about and
// the other does not lack.
func (d Deps) Meet(e Deps) Deps {
	if e.Floor.Before(d.Floor) {
		d, e = e, d
	}
	// Up to its floor e is silent, so d alone tells.
	ids := slices.DeleteFunc(slices.Clone(d.IDs), e.Lacks)
	return Deps{Floor: d.Floor, IDs: ids}
}

// lighter tells whether waiting for d is easier than waiting for e.
func (d Deps) lighter(e Deps) bool { return d.Floor.Before(e.Floor) || len(d.IDs) < len(e.IDs) }

// Union returns what d and e name together, above the higher of their floors.
func (d Deps) Union(e Deps) Deps {
	floor := maxTimestamp(d.Floor, e.Floor)
	switch {
	case len(e.IDs) == 0 || slices.Equal(d.IDs, e.IDs):
		return Deps{Floor: floor, IDs: d.IDs}
	case len(d.IDs) == 0:
		return Deps{Floor: floor, IDs: e.IDs}
	}
	ids := make([]TxnID, 0, max(len(d.IDs), len(e.IDs))+1)
	i, j := 0, 0
	for i < len(d.IDs) && j < len(e.IDs) {
		switch c := compareTxnID(d.IDs[i], e.IDs[j]); {
		case c < 0:
			ids = append(ids, d.IDs[i])
			i++
		case c > 0:
			ids = append(ids, e.IDs[j])
			j++
		default:
			ids = append(ids, d.IDs[i])
			i, j = i+1, j+1
		}
	}
	ids = append(ids, d.IDs[i:]...)
	ids = append(ids, e.IDs[j:]...)
	return Deps{Floor: floor, IDs: ids}
}
