// Command bench compares natsaccord with JetStream, etcd and plain Postgres on one machine: the same payload, the
// same number of requests in flight, durability stated. The systems run side by side and are measured in short
// rounds by turns, so that what else the machine does meets them all; medians and their spread are printed.
//
// With "wan" it compares the nodes of regions far apart with JetStream over the same links, each as slow as the round
// trip between two regions.
//
// With "scale" it measures what an append costs as nodes, streams, conflicts, events and history grow, and with "faults"
// how long clients wait while a node is killed, paused, started again, or has a lot to catch up with. With
// "steady" it looks at what nodes hold under a load that goes on for long.
//
// It is a module of its own, so that etcd's dependencies stay out of natsaccord's.
package main
