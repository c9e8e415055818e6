package event

import "time"

// NodeStatus is what a node tells about itself.
type NodeStatus struct {
	Name        string            // as in the configuration
	Cluster     string            //
	Nodes       []string          // all members
	Electorate  []string          // those whose votes alone can decide in one round
	FastQuorum  int               // how many of them do; 0 of a single node
	Version     string            // of the program
	Incarnation uint64            // grows at every start
	Store       string            // postgres or sqlite
	State       string            // starting, ready, diverged, draining or stopped
	Reason      string            // why it is not ready
	Alarm       string            // what is wrong with a log, this node's or another's; empty: nothing
	InFlight    int               // appends coordinated now
	Events      uint64            // in the log
	Last        Position          // of the last event applied
	LastAt      time.Time         // when that executed, by the nodes' clocks; zero: there is none
	Frontier    Position          // up to which the log is complete for ever
	FrontierAt  time.Time         // when that was; zero: it has not moved yet
	Publishing  bool              // live events, on behalf of all nodes
	Digest      Digest            // of the log, up to about the frontier
	Peers       []PeerStatus      //
	Counters    map[string]uint64 // since the start: fast, slow, recovered, syncs, messages…
}

// PeerStatus is what a node knows of another.
type PeerStatus struct {
	Name      string
	Suspected bool // it does not answer
	Lag       int  // decisions it has not confirmed
}
