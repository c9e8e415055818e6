// Package quorum has the sizes of the sets of nodes that decide: how many must answer, and how many answers
// rule something out. It counts only; whose answers they are, and that each node is counted once, is the
// caller's business. docs/protocol.md §1.3 has the proofs, and the tests enumerate them.
//
// All functions that take n take the number of nodes, which is at least 1. Where they also take fast, it is the size
// of the fast quorum in use, FastMin(n) to n. Fast votes may be confined to an electorate, a part of the nodes:
// electors is its size, ElectorateMin(n) to n, and fast is then FastMinOf(n, electors) to electors.
package quorum

// Faults returns how many of n nodes may be unavailable at once without loss of progress: f.
func Faults(n int) int { return (n - 1) / 2 }

// Slow returns how many of n nodes make a slow quorum: S. Accepts, recoveries, fences and reads need as
// many.
func Slow(n int) int { return n - Faults(n) }

// Fast returns how many fast votes of n nodes decide in one round in mode VS: so many that the votes of any
// recovery quorum alone tell whether the fast path may have been taken.
func Fast(n int) int { return max(FastMin(n), 2*Faults(n)+1) }

// FastMin returns the smallest legal fast quorum of n nodes, that of mode G: any two of them meet in more
// nodes than may be missing from a recovery.
func FastMin(n int) int { return FastMinOf(n, n) }

// FastMinOf returns the smallest legal fast quorum of so many electors among n nodes. A recovery may miss as many
// nodes as may be unavailable, and all of them may be electors.
func FastMinOf(n, electors int) int { return (electors+Faults(n))/2 + 1 }

// ElectorateMin returns the size of the smallest electorate of n nodes: a recovery meets one elector of it at least.
func ElectorateMin(n int) int { return Faults(n) + 1 }

// Rejects returns how many electors have to show something else than a fast vote to rule the fast path out: J. If it
// was taken, fewer can. What other nodes show says nothing.
func Rejects(electors, fast int) int { return electors - fast + 1 }

// AcceptStable returns after how many AcceptOKs of n nodes the collected dependencies are final: A*. A slow
// quorum of them is always needed too, and in mode VS it is enough. However many electors there are, all that matters is
// how many of the nodes do not have to vote for the fast path.
func AcceptStable(n, fast int) int { return max(Slow(n), Rejects(n, fast)+Faults(n)) }

// VotesSuffice tells whether fast is large enough for mode VS: any two slow quorums share enough nodes to
// rule a fast path out. With an electorate smaller than an odd number of nodes none is: they may meet outside it.
func VotesSuffice(n, fast int) bool { return 2*Slow(n)-n >= Rejects(n, fast) }
