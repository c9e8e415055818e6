// Package embeddednats runs nats-servers inside this process: one, or a routed cluster of several, for tests, for
// a laptop, and for a node that brings its own.
//
// It knows nothing of natsaccord. Servers listen on loopback unless told otherwise, and on nothing at all unless
// given a port: programs in the same process need none.
package embeddednats
