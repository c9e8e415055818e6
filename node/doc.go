// Package node runs one accord.Machine: it feeds the machine what happens, in batches, and carries out what
// the machine asks for. It composes behaviour (a loop, a journal writer, an executor of committed
// transactions) and knows neither NATS nor SQL: ports.go has the interfaces it needs.
//
// Its one invariant: a message that promises something leaves only after the journal has synced what it
// promises (persist.go).
//
// Goroutines of a running Node, all started and awaited by Run: the loop, which alone touches the Machine; the
// journal writer; the executor, with up to Config.Workers batches at a time. They hand work on through
// mailboxes and never call back into each other.
package node
