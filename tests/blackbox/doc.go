// Package blackbox holds tests that do to a cluster what the world does: nodes are killed and paused, networks cut, NATS servers and
// databases restarted, disks filled, while concurrent clients append and read. In the end everything is mended, and what the clients
// saw must agree with what the nodes have: see docs/testing.md. Nodes are processes of the accord program, each with a NATS server and
// a database of its own; only what the program exports to the world is used.
package blackbox
