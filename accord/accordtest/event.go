package accordtest

import "natsaccord/accord"

// event is something that happened to one node. The events of a run, in order, are all that its transcript
// shows and all that its checker judges. What an event holds is never changed afterwards.
type event interface {
	lines(t *text) // each ended by a newline; none if it goes without saying
}

// Things a node was told.
type (
	submitted struct {
		node *Node
		in   accord.Submit
	}
	delivered struct { // about to be
		node   *Node
		packet *packet
		now    uint64
	}
	taken   struct{ node *Node } // what was delivered is taken in
	settled struct{ node *Node } // nothing that came of it is left in the Machine
	ticked  struct {
		node *Node
		now  uint64
	}
	asked struct { // for a read
		node *Node
		ref  uint64
		keys accord.Keys
	}
)

// Things a Machine handed out.
type (
	started struct {
		node *Node
		ref  uint64
		id   accord.TxnID
	}
	recorded struct {
		node *Node
		unit Unit
	}
	owed struct {
		node *Node
		msg  accord.Message
	}
	handedOut struct {
		node *Node
		exec accord.Execution
	}
	aborted struct {
		node *Node
		id   accord.TxnID
	}
	readable struct {
		node *Node
		ref  uint64
	}
	sent struct { // put on the wire: at once if free, else after what it vouches for was synced
		node   *Node
		header accord.Header
		msg    accord.Message
		free   bool
	}
)

// Things that happened around a Machine.
type (
	synced struct {
		node    *Node
		entries int // of the log
	}
	applied struct {
		node    *Node
		exec    accord.Execution
		outcome Outcome
	}
	acknowledged struct {
		node    *Node
		ref     uint64
		id      accord.TxnID
		outcome Outcome
	}
	crashed struct {
		node *Node
		kept int // of the unsynced entries
		lost int
	}
	restarted struct{ node *Node }
	lost      struct{ packet *packet }
	noted     struct{ what string } // a fault of the surroundings
	healed    struct{}              // all faults have ended
	finished  struct{ nodes []*Node }
)

// packet is what travels between two nodes as one.
type packet struct {
	from, to accord.NodeID
	header   accord.Header
	messages []accord.Message
	original *packet // nil, or what this is a double of
	number   uint64  // of all that were sent
	at       uint64  // when it arrives, if nothing happens to it
	priority rank
}

// source returns the packet that was sent.
func (p *packet) source() *packet {
	if p.original != nil {
		return p.original
	}
	return p
}

func (e submitted) lines(t *text) {
	t.node(e.node.id)
	t.str(" is given  ref ")
	t.num(e.in.Ref)
	t.keys(e.in.Txn.Keys)
	if !e.in.After.IsZero() {
		t.name("after")
		t.time(e.in.After)
	}
	t.str("\n")
}

func (e delivered) lines(t *text) { t.packet("> ", e.packet) }
func (e lost) lines(t *text)      { t.packet("x ", e.packet) }

func (t *text) packet(mark string, p *packet) {
	for _, m := range p.messages {
		t.str(mark)
		t.message(m)
		t.str("\n")
	}
}

func (e ticked) lines(t *text) {
	t.str("> ")
	t.node(e.node.id)
	t.str(" sees ")
	t.num(e.now)
	t.str("\n")
}

func (e asked) lines(t *text) {
	t.node(e.node.id)
	t.str(" is asked  read ")
	t.num(e.ref)
	t.keys(e.keys)
	t.str("\n")
}

func (e started) lines(t *text) {
	t.node(e.node.id)
	t.str(" starts    ")
	t.time(e.id.Timestamp)
	t.str(" for ref ")
	t.num(e.ref)
	t.str("\n")
}

func (e recorded) lines(t *text) {
	for _, r := range e.unit.Records {
		t.node(e.node.id)
		t.str(" records   ")
		t.record(r)
		t.str("\n")
	}
	if e.unit.Scalars != nil {
		t.node(e.node.id)
		t.str(" records   ")
		t.scalars(*e.unit.Scalars)
		t.str("\n")
	}
}

func (e owed) lines(t *text) {
	t.node(e.node.id)
	t.str(" owes      ")
	t.message(e.msg)
	t.str("\n")
}

func (e sent) lines(t *text) {
	if !e.free {
		return
	}
	t.node(e.node.id)
	t.str(" sends     ")
	t.message(e.msg)
	t.str("\n")
}

func (e handedOut) lines(t *text) {
	t.node(e.node.id)
	t.str(" may apply ")
	t.time(e.exec.Record.ID.Timestamp)
	t.at(e.exec.Record.ExecuteAt)
	t.flag(e.exec.Path.String())
	t.str("\n")
}

func (e aborted) lines(t *text) {
	t.node(e.node.id)
	t.str(" aborts    ")
	t.time(e.id.Timestamp)
	t.str("\n")
}

func (e readable) lines(t *text) {
	t.node(e.node.id)
	t.str(" may read  ")
	t.num(e.ref)
	t.str("\n")
}

func (e synced) lines(t *text) {
	t.str("> ")
	t.node(e.node.id)
	t.str(" syncs ")
	t.int(e.entries)
	t.str("\n")
}

func (e applied) lines(t *text) {
	t.str("> ")
	t.node(e.node.id)
	t.str(" applies ")
	t.time(e.exec.Record.ID.Timestamp)
	if e.outcome.Refused {
		t.flag("(refused)")
	}
	if e.outcome.Repeated {
		t.flag("(repeated)")
	}
	t.str("\n")
}

func (e acknowledged) lines(t *text) {
	t.node(e.node.id)
	t.str(" answers   ref ")
	t.num(e.ref)
	t.str("\n")
}

func (e crashed) lines(t *text) {
	t.str("! ")
	t.node(e.node.id)
	t.str(" crashes, losing ")
	t.int(e.lost)
	t.str(" and keeping ")
	t.int(e.kept)
	t.str(" unsynced\n")
}

func (e restarted) lines(t *text) {
	t.str("! ")
	t.node(e.node.id)
	t.str(" restarts\n")
}

func (e noted) lines(t *text) {
	t.str("! ")
	t.str(e.what)
	t.str("\n")
}

func (e healed) lines(t *text) { t.str("! all faults end\n") }

func (e taken) lines(*text)    {}
func (e settled) lines(*text)  {}
func (e finished) lines(*text) {}
