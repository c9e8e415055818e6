// Package client talks to a cluster over NATS. A Client is an event.Executor, with the same errors as a local
// store; Append, Events and Follow are the comfortable way in.
//
// Every append carries one request id through all its tries, so that it commits at most once, whatever is lost on
// the way. What cannot be repeated without harm is not repeated: it ends as an *event.UnknownError. Appends that are made
// at the same time share messages, each with its own outcome; none waits for others to come. What demands a version of a stream that others were quicker at goes for a
// while to the node through which they came, so that all who want it wait for their turn at one node.
package client
