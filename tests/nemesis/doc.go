// Package nemesis makes things go wrong: links that can be cut or are slow, and plans of faults that a seed repeats. It
// knows nothing of what it does this to.
package nemesis
