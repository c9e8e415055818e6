package accordtest

import (
	"errors"
	"fmt"
	"slices"

	"natsaccord/accord"
	"natsaccord/accord/quorum"
)

// Violation says that a run broke an invariant.
type Violation struct {
	Invariant string // its number in docs/protocol.md §10.2, or a word
	Detail    string
}

// Error returns both.
func (v *Violation) Error() string { return v.Invariant + ": " + v.Detail }

func violation(invariant, format string, args ...any) error {
	return &Violation{invariant, fmt.Sprintf(format, args...)}
}

// invariant is something that must hold of every run. It sees every event once, in order, and remembers for
// itself what it needs.
type invariant interface {
	observe(e event) error
}

// checker holds the events of a run against all invariants. It keeps the first violation.
type checker struct {
	invariants []invariant
	ledger     *ledger
	clients    *clients
	violation  *Violation
}

// newChecker returns the checker for a cluster. To check something new, add it here.
func newChecker(sizes sizes) *checker {
	l := newLedger(sizes)
	clients := newClients(l)
	return &checker{ledger: l, clients: clients, invariants: []invariant{
		l,
		newCompleteSets(l),
		newMemory(sizes),
		newWire(),
		newFreshness(),
		newGate(),
		newProposals(l),
		newAnswers(l, sizes),
		newApplications(l),
		clients,
		newWatermarks(l),
		newPasts(l),
		newPublications(),
		newAttempts(),
		newHistories(),
		newKnowledge(l),
		newEvidences(l),
		newRecoveries(sizes),
		newFenceRounds(sizes),
	}}
}

func (c *checker) observe(e event) {
	for _, i := range c.invariants {
		if c.violation != nil {
			return
		}
		if err := i.observe(e); err != nil {
			c.fail(err)
		}
	}
}

func (c *checker) fail(err error) {
	if c.violation != nil {
		return
	}
	if !errors.As(err, &c.violation) {
		c.violation = &Violation{"harness", err.Error()}
	}
}

// sizes are those of the quorums that a checker demands.
type sizes struct {
	slow, fast int
	electorate []accord.NodeID // whose votes make a fast quorum; nil: everybody's
	general    bool            // mode G
	blind      bool            // Options.Blind
}

// sizesOf returns the sizes for so many nodes. Where fast is zero, it is that of mode VS, or with an electorate the smallest.
func sizesOf(nodes, fast int, electorate []accord.NodeID) sizes {
	elects := len(electorate) > 0 && len(electorate) < nodes
	switch {
	case fast == 0 && elects:
		fast = quorum.FastMinOf(nodes, len(electorate))
	case fast == 0:
		fast = quorum.Fast(nodes)
	}
	return sizes{slow: quorum.Slow(nodes), fast: fast, electorate: electorate, general: elects || !quorum.VotesSuffice(nodes, fast)}
}

// elects tells whether a node's vote counts for the fast path.
func (s sizes) elects(node accord.NodeID) bool {
	return len(s.electorate) == 0 || slices.Contains(s.electorate, node)
}

// nodeTxn names a transaction at a node.
type nodeTxn struct {
	node accord.NodeID
	id   accord.TxnID
}

// name returns a timestamp as transcripts show it.
func name(at accord.Timestamp) string {
	var t text
	t.time(at)
	return string(t)
}

func show(r accord.Record) string {
	var t text
	t.record(r)
	return string(t)
}
