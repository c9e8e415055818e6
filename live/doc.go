// Package live publishes the log as it grows: every event once it lies up to the frontier, in order.
//
// Of all nodes that have it on, one publishes at a time. It tells the others how far it is; when there is something
// to publish and nothing is heard of it for a while, another takes over from there. Its one invariant: whoever
// publishes begins at a place up to which everything has been published, and leaves nothing out. So of the first
// copies of all events none is missing and none out of order; repeats there are, and they carry the event's id.
package live
