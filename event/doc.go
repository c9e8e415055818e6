// Package event has the product's own words: events and the streams they stand in, positions in the global
// order, appends with their conditions, outcomes, and the Executor interface that a plain database, a node
// and a client all implement.
//
// It knows nothing of consensus, of NATS or of SQL. Whatever decides the fate of an append is here and pure
// (Evaluate), so that every node decides alike.
package event
