// Package dashboard serves what a process tells of its nodes over HTTP: whether it lives and is ready, metrics for
// Prometheus, the status, and a page that shows it.
//
// It only asks and shows. It keeps no books of its own, but for how long appends take: everything else is a node's
// status, taken when somebody wants to know. A node that does not say in time how it is makes the answer worse, not late.
// Nobody is asked who they are: a Server listens on loopback unless told otherwise, and offers nothing that changes anything.
package dashboard
