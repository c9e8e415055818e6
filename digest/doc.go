// Package digest hashes the log of a node up to its frontier, event by event, and sees to it that all nodes' logs are
// the same and stay what they were.
//
// Every event is hashed together with the hash of all before it, so that the hash at an event stands for the whole log up
// to there, on every node, however its frontier got there. Every so many events the hash is noted in the database. Nodes
// tell each other what theirs is; each reads its log again and again, slowly, and compares it with its notes. If
// anything differs, halving finds the first event that does.
package digest
