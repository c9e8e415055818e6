package accord

import (
	"iter"
	"slices"

	"natsaccord/accord/quorum"
)

// Machine is the protocol state of one replica. It is deterministic: the same Config, Records and Inputs
// give the same Readys. It does no I/O and is not safe for concurrent use.
type Machine struct {
	cfg        Config
	slow, fast int     // quorum sizes
	electors   nodeSet // whose votes count for the fast path, and against it
	rejects    int     // so many of theirs that are not fast rule the fast path out
	general    bool    // mode G: a recovery's votes may not tell whether the fast path was taken
	now        uint64
	clock      hlc
	scalars    Scalars
	// durableMark is the watermark that survives a crash, the only one to tell others: they forget what all
	// nodes say they have applied.
	durableMark Timestamp
	// durablePast is RedundantBefore likewise.
	durablePast Timestamp

	commands    map[TxnID]*command
	tombstones  map[TxnID]Timestamp // applied and forgotten: its executeAt; invalidated: zero
	history     []applied           // everything applied after historyFrom, up to the watermark, by executeAt
	historyFrom Timestamp
	kept        []*command // retired, but kept for nodes that may still ask
	index       conflicts
	exec        execution
	coords      map[TxnID]*coordination
	recovering  int     // of the coordinations, those above ballot 0 that do not wait for others
	awaiting    []TxnID // of the coordinations, those that do; lowest first
	queue       []TxnID // to be recovered as soon as there are fewer than RecoverMax; lowest first
	inquiries   map[TxnID]*inquiry
	asking      int    // how many of them are first questions
	fetched     int    // bytes of a body that an answer brings, smoothed
	answering   uint64 // how long answers to inquiries take, at most of late
	fences      fencing
	erase       erasing
	catching    bool // a CatchUp is under way
	reads       map[TxnID]*reading
	peers       []peer // as Config.Nodes

	timers   timers
	timerSeq uint64
	random   uint64
	local    []Message  // to this replica itself, free to be handled in this Step
	dirty    []*command // to be recorded with the next Ready
	scribble bool       // scalars are to be recorded with the next Ready
	ready    Ready
	counters Counters
}

// New returns the Machine of a replica that never ran before.
func New(cfg Config) (*Machine, error) {
	return Restore(cfg, Scalars{}, func(func(Record, error) bool) {})
}

// Restore returns a Machine that remembers what an earlier one of the same replica recorded. Votes, promises
// and accepted values are taken as they stand and never recomputed. It never resumes a proposal of the
// earlier Machine: recovery finishes those. docs/protocol.md §2.6, §4.1.
func Restore(cfg Config, scalars Scalars, records iter.Seq2[Record, error]) (*Machine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := len(cfg.Nodes)
	m := &Machine{cfg: cfg}
	m.mutateRestore(&scalars)
	*m = Machine{
		cfg: cfg, slow: quorum.Slow(n), fast: cfg.FastQuorum, rejects: quorum.Rejects(len(cfg.Electorate), cfg.FastQuorum),
		electors: cfg.electors(), general: mutateGeneral(cfg),
		clock:       hlc{self: cfg.Self, epoch: scalars.Epoch, reserve: cfg.HLCReserve, last: scalars.HLCLimit, limit: scalars.HLCLimit, durable: scalars.HLCLimit},
		scalars:     scalars,
		durableMark: scalars.Watermark,
		durablePast: scalars.RedundantBefore,
		commands:    make(map[TxnID]*command),
		tombstones:  make(map[TxnID]Timestamp),
		index:       newConflicts(),
		coords:      make(map[TxnID]*coordination),
		inquiries:   make(map[TxnID]*inquiry),
		fetched:     max(1, cfg.LagBytes/askFew),
		reads:       make(map[TxnID]*reading),
		peers:       newPeers(cfg.Nodes),
		fences:      fencing{boot: scalars.HLCLimit},
		random:      cfg.Seed,
	}
	if err := m.load(records); err != nil {
		return nil, err
	}
	if scalars.HLCLimit > 0 {
		m.greet()
	}
	return m, nil
}

// load takes over records, then resumes what they leave to be done, in the order of TxnIDs.
func (m *Machine) load(records iter.Seq2[Record, error]) error {
	var loaded []*command
	for rec, err := range records {
		if err != nil {
			return err
		}
		if m.mutateLoad(&rec) {
			continue
		}
		if rec.ID.Kind.fences() {
			m.loadFence(rec)
			continue
		}
		c := &command{rec: rec, recorded: rec.Txn != nil}
		m.commands[rec.ID] = c
		loaded = append(loaded, c)
	}
	slices.SortFunc(loaded, func(a, b *command) int { return compareTxnID(a.rec.ID, b.rec.ID) })
	past := m.scalars.RedundantBefore
	// What the journal has left out, or another's log brought, is missing in the history.
	if !past.IsZero() || slices.ContainsFunc(loaded, func(c *command) bool { return c.rec.Status == StatusApplied && c.rec.Txn == nil }) {
		m.historyFrom = m.scalars.Watermark
	}
	if !past.IsZero() {
		loaded = slices.DeleteFunc(loaded, func(c *command) bool {
			if c.rec.Status.Decided() || !c.rec.ID.Before(past) {
				return false
			}
			delete(m.commands, c.rec.ID) // given up before the restart
			return true
		})
	}
	for _, c := range loaded {
		c.handed = c.rec.Status == StatusApplied
		if c.registered() {
			m.index.add(c)
		}
	}
	for _, c := range loaded {
		m.resume(c)
	}
	m.retire()
	return nil
}

// resume takes up where a restart left off.
func (m *Machine) resume(c *command) {
	switch c.rec.Status {
	case StatusApplied, StatusInvalidated:
		if !c.registered() {
			m.kept = append(m.kept, c)
		}
	case StatusStable:
		m.schedule(c)
	default:
		m.attend(c, m.cfg.RecoverAfter)
	}
	m.watchFences()
}

// Step applies one input at time now, in microseconds; now need not be monotonic. It never fails: late,
// duplicate and stale inputs are dropped and counted.
func (m *Machine) Step(now uint64, in Input) {
	m.now = now
	switch in := in.(type) {
	case Submit:
		m.submit(in)
	case Deliver:
		m.deliver(in)
	case Executed:
		m.executed(in.IDs)
	case Read:
		m.read(in)
	case Demand:
		m.demand(in.At)
	case CaughtUp:
		m.caughtUp(in)
	case Tick:
	}
	m.fire()
	m.settle()
}

// settle handles what the replica has to tell itself and what has become due, until nothing is left.
func (m *Machine) settle() {
	for len(m.local) > 0 {
		msg := m.local[0]
		m.local = m.local[1:]
		m.dispatch(msg)
	}
	m.local = nil
}

// Ready hands over the work that has come due since the last call, and forgets it.
func (m *Machine) Ready() Ready {
	if len(m.dirty) > 0 {
		m.ready.Records = make([]Record, 0, len(m.dirty))
	}
	for _, c := range m.dirty {
		c.dirty = false
		rec := c.rec
		if c.recorded {
			rec.Txn = nil
		}
		c.recorded = c.rec.Txn != nil
		m.ready.Records = append(m.ready.Records, rec)
	}
	clear(m.dirty)
	m.dirty = m.dirty[:0]
	if m.scribble {
		scalars := m.scalars
		m.ready.Scalars = &scalars
		m.scribble = false
	}
	r := m.ready
	m.ready = Ready{}
	r.Header = Header{SentHLC: m.clock.last, Watermark: m.durableMark, RedundantBefore: m.durablePast}
	return r
}

// record has c's state recorded with the next Ready.
func (m *Machine) record(c *command) {
	if !c.dirty {
		c.dirty = true
		m.dirty = append(m.dirty, c)
	}
}

// recordScalars has the scalars recorded with the next Ready, and this node told when they are durable.
func (m *Machine) recordScalars() {
	m.scribble = true
	m.owe(m.cfg.Self, TxnID{m.scalars.Watermark}, Pong{HLCLimit: m.clock.limit, RedundantBefore: m.scalars.RedundantBefore})
}

// timestamp issues a timestamp, and has the clock's reservation recorded if it had to be raised.
func (m *Machine) timestamp(kind Kind) Timestamp {
	t, raised := m.clock.next(m.now, kind)
	if raised {
		m.scalars.HLCLimit = m.clock.limit
		m.recordScalars()
	}
	return t
}

// timestampAfter issues a vote or a ballot after t.
func (m *Machine) timestampAfter(t Timestamp) Timestamp {
	m.clock.observe(t.HLC)
	return m.timestamp(KindVote)
}

// send lets a message go at once. Only messages that ask, or that pass on what is decided, may go this way.
func (m *Machine) send(to NodeID, id TxnID, body Body) {
	msg := Message{From: m.cfg.Self, To: to, TxnID: id, Body: body}
	if to == m.cfg.Self {
		m.local = append(m.local, msg)
		return
	}
	m.counters.Sent++
	m.ready.Messages = append(m.ready.Messages, msg)
}

// owe lets a message go once everything recorded up to now is durable. Every message that promises anything,
// or reveals what a crash could undo, goes this way: refusals and answers to reads too, since they may rest
// on state that is not durable yet. docs/protocol.md §2.6.
func (m *Machine) owe(to NodeID, id TxnID, body Body) {
	if to != m.cfg.Self {
		m.counters.Sent++
	}
	m.ready.AfterPersist = append(m.ready.AfterPersist, Message{From: m.cfg.Self, To: to, TxnID: id, Body: body})
}

// deliver handles messages from one node.
func (m *Machine) deliver(in Deliver) {
	if !m.hear(in.From, in.Header) {
		m.counters.Strangers++
		return
	}
	for _, msg := range in.Messages {
		msg.From, msg.To = in.From, m.cfg.Self
		m.dispatch(msg)
	}
}

// dispatch hands a message to the one function that handles its kind.
func (m *Machine) dispatch(msg Message) {
	from, id := msg.From, msg.TxnID
	switch b := msg.Body.(type) {
	case PreAccept:
		m.onPreAccept(from, id, b)
	case PreAcceptOK:
		m.onPreAcceptOK(from, id, b)
	case Accept:
		m.onAccept(from, id, b)
	case AcceptOK:
		m.onAcceptOK(from, id, b)
	case AcceptInvalidate:
		m.onAcceptInvalidate(from, id, b)
	case AcceptInvalidateOK:
		m.onAcceptInvalidateOK(from, id, b)
	case Nack:
		m.onNack(from, id, b)
	case Stable:
		m.onStable(from, id, b)
	case StableOK, InvalidatedOK:
		m.confirmed(from, id)
	case Invalidated:
		m.onInvalidated(from, id)
	case Fetch:
		m.onFetch(from, id)
	case FetchOK:
		m.onFetchOK(from, id, b)
	default:
		m.dispatchRare(msg)
	}
}

// dispatchRare does the same for what no ordinary append needs.
func (m *Machine) dispatchRare(msg Message) {
	from, id := msg.From, msg.TxnID
	switch b := msg.Body.(type) {
	case Commit:
		m.onCommit(from, id, b)
	case CommitOK:
		m.onCommitOK(from, id, b)
	case Recover:
		m.onRecover(from, id, b)
	case RecoverOK:
		m.onRecoverOK(from, id, b)
	case BeginInvalidation:
		m.onBeginInvalidation(from, id, b)
	case InvalidateOK:
		m.onInvalidateOK(from, id, b)
	case FenceCollect:
		m.onFenceCollect(from, id)
	case FenceOK:
		m.onFenceOK(from, id, b)
	case FenceCommit:
		m.onFenceCommit(id, b)
	case FenceFetch:
		m.onFenceFetch(from, id)
	case FenceAccept:
		m.onFenceAccept(from, id, b)
	case ReadDeps:
		m.onReadDeps(from, id, b)
	case ReadDepsOK:
		m.onReadDepsOK(from, id, b)
	case Ping:
		m.owe(from, id, Pong{HLCLimit: m.clock.limit})
	case Pong:
		if from == m.cfg.Self {
			m.clock.durable = max(m.clock.durable, b.HLCLimit)
			m.durableMark = maxTimestamp(m.durableMark, id.Timestamp)
			m.durablePast = maxTimestamp(m.durablePast, b.RedundantBefore)
		}
	}
}

// endOfTime is after every timestamp.
func endOfTime() Timestamp {
	return Timestamp{Epoch: 1<<32 - 1, HLC: 1<<64 - 1, Kind: kindEnd, Node: 1<<16 - 1}
}
