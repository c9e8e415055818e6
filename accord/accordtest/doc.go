// Package accordtest runs the protocol core without a network, a disk or a clock, to show what it does and to
// find out what it does wrong.
//
// A Node is one replica: a Machine, the crashable MemStore under it and the work the Machine has handed out.
// Two things drive Nodes. An Env follows a script and answers with a transcript: the files in accord/testdata
// are its scripts, and document the protocol one behaviour at a time. A Sim follows a seed: Run lays out a
// cluster, a workload and faults from it, in virtual time, and the same seed gives the same run to the byte.
//
// Whatever happens to a Node is an event. The events of a run are its transcript, and a checker judges them
// all as they happen, by the invariants of docs/protocol.md §10.2. The invariants stand in the files
// invariants_*.go, one struct each, and trust nothing the Machine says of itself: they hold what is sent
// against what is durable, and what is decided against what was answered.
package accordtest
