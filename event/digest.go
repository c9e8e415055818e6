package event

// DigestQuery asks for the digest of a run of events of a node's log: those behind the first From, up to the To-th.
type DigestQuery struct {
	From, To uint64 // To zero: to the end of what the node has a digest of
	Stored   bool   // as noted when the events became part of the log, not of what the database holds now; From is zero
}

// Digest is what a run of events hashes to. Equal digests of equally long runs mean equal events.
type Digest struct {
	From, To uint64   // events before the run, and up to its end
	Position Position // of its last event; empty if there is none
	Sum      string   // SHA-256 chain, hex
}
