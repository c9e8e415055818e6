// Package bus is all that natsaccord knows of NATS: every subject, the binary messages between nodes, the JSON
// messages between clients and nodes, and the connections that carry both.
//
// It is not where anything is decided. Peers hands accord messages to a node and takes them from it, Service
// hands client requests to a Backend; neither keeps protocol state, and a message lost on the way is a message
// the protocol sends again. Nothing that arrives from outside can make it panic, or allocate more than a small
// multiple of what arrived.
package bus
