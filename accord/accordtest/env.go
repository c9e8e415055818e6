package accordtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"natsaccord/accord"
)

// Env runs a script: each command lets something happen to a cluster, and answers with what came of it. All
// invariants are checked all the time.
//
// Commands, in any order after nodes; times are microseconds:
//
//	nodes n=3 [cold] [nofence] [fast=4]  start nodes 1 to n; cold: their clocks are not reserved yet; fast: FastQuorum, else that of mode VS
//	      [electorate=(1,2)]            as in accord.Config
//	      [recoveries=] [erase=] [retain=]  as in accord.Config: RecoverMax, EraseEvery and EraseDelay, Retain
//	submit node=1 keys=(k) [at=] [after=100.1]
//	       [request=7]                   one that was made before or will be made again
//	       [even]                        on the condition that the first key's list has an even length
//	read node=1 [keys=(k)] [at=]         without keys: of everything
//	demand node=1 for=100.1 [at=]        somebody waits for that watermark
//	deliver [from=] [to=] [kind=Accept] [txn=100.1] [first]
//	drop, dup                            the same choice of messages: lost; delivered, and on their way still
//	sync [node=]                         what was recorded becomes durable, and what was owed goes
//	apply [node=]                        what may be applied is
//	stabilize [without=3]                all of that until nothing is left, time standing still
//	tick [node=] [at=] [for=]            time passes; for: in steps, with a stabilize after each
//	fences node=1 count=9 [without=3]    so many fences, with a stabilize after each
//	recovers node=2 txn=100.1 [without=1]  time passes there until it begins an attempt to decide
//	crash node= [keep=1] , restart node= [at=]
//	clock node= ahead= | behind=
//	state [node=] , pending , check
//
// With silent, a command's transcript is left out.
type Env struct {
	nodes   []*Node
	behind  map[accord.NodeID]int64 // of the true time
	wire    []*packet               // one message each
	now     uint64
	ref     uint64
	checker *checker
	out     text
	bugs    accord.Mutation
}

// NewEnv returns an Env without nodes.
func NewEnv() *Env { return &Env{behind: map[accord.NodeID]int64{}} }

// Plant has all nodes run with planted bugs, which are to be found by what comes of them.
func (e *Env) Plant(bugs accord.Mutation) { e.bugs = bugs }

// Try runs one command of a script that was written for a cluster without bugs. What cannot be done is left out.
func (e *Env) Try(d *datadriven.TestData) {
	if e.checker == nil || e.checker.violation == nil {
		guarded(func() error { _ = e.run(d); return nil }, func(err error) { e.checker.fail(err) })
	}
}

// Violation returns the invariant that was broken first, nil if none was.
func (e *Env) Violation() *Violation { return e.checker.violation }

// Handle runs one command and returns its transcript.
func (e *Env) Handle(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	e.out = nil
	if err := e.run(d); err != nil {
		d.Fatalf(t, "%v", err)
	}
	switch {
	case e.checker != nil && e.checker.violation != nil:
		t.Errorf("%s: %s", d.Pos, e.checker.violation)
	case d.HasArg("silent"):
		return "…\n"
	case len(e.out) == 0:
		return "nothing happens\n"
	}
	return string(e.out)
}

func (e *Env) run(d *datadriven.TestData) error {
	if at, ok := number(d, "at"); ok {
		e.now = at
	}
	switch d.Cmd {
	case "nodes":
		return e.start(d)
	case "submit", "read":
		return e.request(d)
	case "demand":
		return e.demand(d)
	case "deliver", "drop", "dup":
		return e.carry(d)
	case "sync":
		return e.each(d, e.sync)
	case "apply":
		return e.each(d, e.apply)
	case "stabilize":
		return e.stabilize(skipped(d))
	case "tick":
		return e.tick(d)
	case "crash":
		return e.each(d, func(n *Node) error { return e.crash(d, n) })
	case "fences":
		return e.each(d, func(n *Node) error { return e.fences(d, n) })
	case "recovers":
		return e.each(d, func(n *Node) error { return e.recovers(d, n) })
	case "restart":
		return e.each(d, (*Node).start)
	case "catchup":
		return e.each(d, func(n *Node) error { return e.catchUp(n) })
	case "clock":
		return e.each(d, func(n *Node) error { return e.setClock(d, n) })
	case "state":
		return e.each(d, e.state)
	case "pending":
		e.pending()
	case "check":
		e.emit(finished{slices.DeleteFunc(slices.Clone(e.nodes), func(n *Node) bool { return !n.up() })})
		e.out.str("all nodes agree\n")
	default:
		return fmt.Errorf("unknown command %q", d.Cmd)
	}
	return nil
}

func (e *Env) emit(ev event) {
	ev.lines(&e.out)
	e.checker.observe(ev)
}

// each does something with the node that a command names, or with all.
func (e *Env) each(d *datadriven.TestData, f func(*Node) error) error {
	id, one := number(d, "node")
	for _, n := range e.nodes {
		if one && n.id != accord.NodeID(id) {
			continue
		}
		if err := f(n); err != nil {
			return err
		}
	}
	return nil
}

func (e *Env) named(d *datadriven.TestData) (*Node, error) {
	id, _ := number(d, "node")
	if id < 1 || id > uint64(len(e.nodes)) {
		return nil, fmt.Errorf("no node %d", id)
	}
	return e.nodes[id-1], nil
}

// time returns what a node takes for the time.
func (e *Env) time(n *Node) uint64 { return uint64(int64(e.now) - e.behind[n.id]) }

// number returns a numeric argument.
func number(d *datadriven.TestData, key string) (uint64, bool) {
	arg, ok := d.Arg(key)
	if !ok || len(arg.Vals) == 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(arg.Vals[0], 10, 64)
	return n, err == nil
}

// word returns a textual argument, empty if it is missing.
func word(d *datadriven.TestData, key string) string {
	if arg, ok := d.Arg(key); ok && len(arg.Vals) > 0 {
		return arg.Vals[0]
	}
	return ""
}

// timestamp reads HLC.node.
func timestamp(s string) (accord.Timestamp, error) {
	hlc, node, _ := strings.Cut(s, ".")
	t, err := strconv.ParseUint(hlc, 10, 64)
	n, err2 := strconv.ParseUint(node, 10, 16)
	if err != nil || err2 != nil {
		return accord.Timestamp{}, fmt.Errorf("timestamp %q, want HLC.node", s)
	}
	return accord.Timestamp{HLC: t, Node: accord.NodeID(n)}, nil
}

func keysOf(d *datadriven.TestData) accord.Keys {
	var keys []accord.Key
	if arg, ok := d.Arg("keys"); ok {
		for _, key := range arg.Vals {
			keys = append(keys, accord.Key(key))
		}
	}
	return accord.NewKeys(keys)
}

// skipped returns the nodes that a stabilize leaves out.
func skipped(d *datadriven.TestData) func(accord.NodeID) bool {
	arg, _ := d.Arg("without")
	return func(id accord.NodeID) bool {
		return slices.Contains(arg.Vals, strconv.Itoa(int(id)))
	}
}
