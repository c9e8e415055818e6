//go:build race

package node_test

// slower is how many times fewer appends the race detector gets to see.
const slower = 10
