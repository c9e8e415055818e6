package accordtest

import (
	"iter"
	"slices"

	"natsaccord/accord"
)

// Unit is what one Ready makes durable, all or nothing.
type Unit struct {
	Records []accord.Record
	Scalars *accord.Scalars
}

// MemStore is the database of one node: the journal and the effects of transactions, in one log. A crash
// keeps what was synced and any prefix of the rest, so whoever loses an effect has lost all later ones too,
// journal included. It is not safe for concurrent use.
type MemStore struct {
	live    view    // after everything appended
	durable view    // after everything synced
	tail    []entry // appended since
}

// entry is one transaction of the database: a Unit of the journal, an execution with its Applied mark, or what
// came of another node's log.
type entry struct {
	unit  Unit
	exec  *accord.Execution
	merge *merged
}

// NewMemStore returns the empty store of a node that never ran.
func NewMemStore() *MemStore {
	return &MemStore{live: newView(), durable: newView()}
}

// Append adds units to the journal. They are durable after the next Sync.
func (s *MemStore) Append(units ...Unit) {
	for _, u := range units {
		s.add(entry{unit: u})
	}
}

// Apply executes a transaction and marks it Applied. It may come before the Unit that says it is Stable, as
// in a database whose journal and executor use two connections. It returns what a client would be told.
func (s *MemStore) Apply(e accord.Execution) Outcome {
	s.add(entry{exec: &e})
	return s.live.applied[e.Record.ID].outcome
}

func (s *MemStore) add(e entry) {
	s.tail = append(s.tail, e)
	s.live.add(e)
}

// Sync makes everything appended durable.
func (s *MemStore) Sync() {
	for _, e := range s.tail {
		s.durable.add(e)
	}
	s.tail = s.tail[:0]
}

// Unsynced returns how many entries a crash may lose.
func (s *MemStore) Unsynced() int { return len(s.tail) }

// Crash loses all but the first keep of the unsynced entries. bugs are what goes wrong beyond that.
func (s *MemStore) Crash(keep int, bugs Mutation) {
	kept := s.tail[:keep]
	if bugs.has(MutateTornJournal) && keep > 1 {
		kept = kept[1:]
	}
	for _, e := range kept {
		s.durable.add(e)
		if bugs.has(MutateUnmarked) && e.exec != nil {
			delete(s.durable.applied, e.exec.Record.ID)
		}
	}
	s.tail = nil
	s.live = s.durable.clone()
}

// Applied tells whether a transaction's effects are in the store.
func (s *MemStore) Applied(id accord.TxnID) bool {
	_, ok := s.live.applied[id]
	return ok || s.Caught(id)
}

// Scalars returns the last recorded Scalars.
func (s *MemStore) Scalars() accord.Scalars { return s.live.scalars }

// Records returns one Record for every transaction of the journal that is not over for good, in the order of
// TxnIDs.
func (s *MemStore) Records() iter.Seq2[accord.Record, error] {
	return func(yield func(accord.Record, error) bool) {
		for _, rec := range s.live.sorted() {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

func sortRecords(records []accord.Record) {
	slices.SortFunc(records, func(a, b accord.Record) int { return compareTxnID(a.ID, b.ID) })
}

// Digest returns a hash of the state that the effects have made, by which nodes can be compared.
func (s *MemStore) Digest() uint64 { return s.live.state.digest() }

// view is the content of a database at one point of its log.
type view struct {
	records map[accord.TxnID]accord.Record
	scalars accord.Scalars
	applied map[accord.TxnID]mark
	caught  map[accord.TxnID]mark // applied elsewhere: their effects came with a log
	state   state
}

// mark says that a transaction is applied. It holds the record that the executor was handed.
type mark struct {
	record  accord.Record
	outcome Outcome
}

func newView() view {
	return view{records: map[accord.TxnID]accord.Record{}, applied: map[accord.TxnID]mark{}, caught: map[accord.TxnID]mark{}, state: state{}}
}

func (v *view) add(e entry) {
	if e.merge != nil {
		v.merge(e.merge)
		return
	}
	if e.exec != nil {
		rec := e.exec.Record
		if done, ok := v.caught[rec.ID]; ok { // only the mark is missing
			delete(v.caught, rec.ID)
			v.applied[rec.ID] = mark{rec, done.outcome}
			return
		}
		v.applied[rec.ID] = mark{rec, v.state.apply(rec)}
		if _, ok := v.records[rec.ID]; !ok {
			v.records[rec.ID] = rec
		}
		return
	}
	for _, rec := range e.unit.Records {
		if rec.Txn == nil {
			rec.Txn = v.records[rec.ID].Txn
		}
		v.records[rec.ID] = rec
	}
	if e.unit.Scalars != nil {
		v.scalars = *e.unit.Scalars
	}
}

// record returns what the database knows of a transaction. If its mark has overtaken the journal, what the
// executor was handed is the later Record.
func (v *view) record(id accord.TxnID) (accord.Record, bool) {
	rec, ok := v.records[id]
	if m, applied := v.applied[id]; applied {
		if !rec.Status.Decided() {
			rec = m.record
		}
		rec.Status = accord.StatusApplied
	}
	return rec, ok
}
