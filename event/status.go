package event

// NodeStatus is what a node tells about itself.
type NodeStatus struct {
	Name        string            // as in the configuration
	Cluster     string            //
	Nodes       []string          // all members
	Version     string            // of the program
	Incarnation uint64            // grows at every start
	Store       string            // postgres or sqlite
	State       string            // starting, ready, draining or stopped
	Reason      string            // why it is not ready
	InFlight    int               // appends coordinated now
	Events      uint64            // in the log
	Last        Position          // of the last event applied
	Peers       []PeerStatus      //
	Counters    map[string]uint64 // since the start: fast, slow, recovered, syncs, messages…
}

// PeerStatus is what a node knows of another.
type PeerStatus struct {
	Name      string
	Suspected bool // it does not answer
	Lag       int  // decisions it has not confirmed
}
