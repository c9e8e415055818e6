package history

import (
	"fmt"
	"strings"
)

// Class says what is wrong. The names are those of Adya, Liskov and O'Neil as Elle uses them; with "-realtime" the
// cycle has an edge that is there only because one transaction had returned before the other was asked for.
type Class string

// Anomalies that show without a cycle.
const (
	BadHistory        Class = "bad-history"        // the history itself is wrong: a value is appended twice
	Internal          Class = "internal"           // a transaction's reads disagree with itself
	Duplicate         Class = "duplicate-elements" // a value stands twice in a list
	Phantom           Class = "phantom"            // a value was read, or counted, that nobody appended
	IncompatibleOrder Class = "incompatible-order" // two reads of a list, neither of which begins with the other
	G1a               Class = "G1a"                // a value of a refused transaction was read
	G1b               Class = "G1b"                // a list was read that ends in the middle of a transaction
	PositionOrder     Class = "position-order"     // a dependency goes against the order that the system told
)

// Cycles, the worst first.
const (
	G0              Class = "G0"       // of appends only
	G1c             Class = "G1c"      // of appends, and reads of what was appended
	GSingle         Class = "G-single" // with one read that missed an append
	G2              Class = "G2"       // with several
	G0Realtime      Class = "G0-realtime"
	G1cRealtime     Class = "G1c-realtime"
	GSingleRealtime Class = "G-single-realtime" // a stale read, or an append that got lost
	G2Realtime      Class = "G2-realtime"
)

// Anomaly is something that no strictly serializable system does.
type Anomaly struct {
	Class  Class
	Detail string
	Cycle  []Edge // of classes that are cycles: each edge ends where the next begins
}

// Edge says that one transaction comes before another. Both are indices into the history.
type Edge struct {
	From, To int
	Kind     EdgeKind
	Key      string // of Ww, Wr and Rw
}

// EdgeKind says why. Kinds are bits, so that a set of them is an EdgeKind too.
type EdgeKind uint8

// Why a transaction comes before another.
const (
	Ww EdgeKind = 1 << iota // its value stands before the other's
	Wr                      // the other read its value as the last
	Rw                      // the other's value is the first that it did not see
	Rt                      // it had returned before the other was asked for
)

func (k EdgeKind) String() string {
	var names []string
	for i, name := range []string{"ww", "wr", "rw", "rt"} {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// Report is what Check found. Anomalies is empty if the history is strictly serializable.
type Report struct {
	Anomalies []Anomaly
	Txns      int            // transactions that took effect
	Edges     map[string]int // how many dependencies were inferred, by kind: a check that saw none proved nothing
}

// Has tells whether an anomaly of the class was found.
func (r Report) Has(class Class) bool {
	for _, a := range r.Anomalies {
		if a.Class == class {
			return true
		}
	}
	return false
}

// shownAnomalies is how many anomalies a Report's text shows.
const shownAnomalies = 20

func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d transactions, dependencies %v: %d anomalies", r.Txns, r.Edges, len(r.Anomalies))
	for i, a := range r.Anomalies {
		if i == shownAnomalies {
			fmt.Fprintf(&b, "\n… and %d more", len(r.Anomalies)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s: %s", a.Class, a.Detail)
	}
	return b.String()
}

// describe tells of a transaction in one line.
func describe(i int, t *Txn) string {
	var b strings.Builder
	fmt.Fprintf(&b, "T%d (%s, %d to ", i, t.Client, t.Invoke)
	if t.Outcome == Unknown {
		b.WriteString("?")
	} else {
		fmt.Fprint(&b, t.Return)
	}
	b.WriteString(")")
	for _, op := range t.Ops {
		switch op.Kind {
		case AppendKind:
			fmt.Fprintf(&b, " append %s %d", op.Key, op.Value)
		case ReadKind:
			fmt.Fprintf(&b, " read %s %s", op.Key, ending(op.List))
		case LengthKind:
			fmt.Fprintf(&b, " length %s %d", op.Key, op.Length)
		case AtLeastKind:
			fmt.Fprintf(&b, " at least %s %d", op.Key, op.Length)
		}
	}
	return b.String()
}

// ending writes a list by its length and its last values.
func ending(list []int64) string {
	const shown = 5
	if len(list) <= shown {
		return fmt.Sprint(list)
	}
	return fmt.Sprintf("[%d values, the last %v]", len(list), list[len(list)-shown:])
}

// describeCycle tells of a cycle, a line for each edge.
func describeCycle(txns []Txn, cycle []Edge) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a cycle of %d", len(cycle))
	for _, e := range cycle {
		fmt.Fprintf(&b, "\n  %s\n    -%s", describe(e.From, &txns[e.From]), e.Kind)
		if e.Key != "" {
			fmt.Fprintf(&b, " on %s", e.Key)
		}
		fmt.Fprintf(&b, "-> T%d", e.To)
	}
	return b.String()
}
