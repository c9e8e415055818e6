// Package client talks to a cluster over NATS. A Client is an event.Executor, with the same errors as a local
// store; every append carries one request id through all its retries, so that it commits at most once.
package client
