package dashboard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"natsaccord/event"
)

// patience is how long a node may take to say how it is.
const patience = 2 * time.Second

// Source tells how a node is. It should give up when ctx ends. It is asked once at a time, so that one that does not is not asked again.
type Source interface {
	Status(ctx context.Context) (event.NodeStatus, error)
}

// Check is something a node needs besides what its status tells. Failing returns why it is not so, at once.
type Check struct {
	Name    string
	Failing func() error
}

// Node is one of a process's nodes. Its methods may be called concurrently. A nil Node shows nothing.
type Node struct {
	name    string
	appends *appends

	mu     sync.Mutex
	source Source // nil before Show
	checks []Check
	asked  *question // which has no answer yet
}

// NewNode returns a Node that says that it is being opened, until Show.
func NewNode(name string) *Node { return &Node{name: name, appends: newAppends(name)} }

// Show has the node be shown as source tells from now on. It is ready only if no check is failing.
func (n *Node) Show(source Source, checks ...Check) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.source, n.checks = source, checks
}

// question is one that a source has been asked. The answer may be read once done is closed, and is not to be changed.
type question struct {
	done   chan struct{}
	status event.NodeStatus
	err    error
}

// status asks the node how it is, for as long as patience and ctx last. One question is asked at a time, and who comes meanwhile gets
// its answer: a node that does not answer is no burden, however many ask.
func (n *Node) status(ctx context.Context) (event.NodeStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	q := n.ask()
	select {
	case <-q.done:
		return q.status, q.err
	case <-ctx.Done():
		return event.NodeStatus{}, fmt.Errorf("node %s does not say how it is: %w", n.name, ctx.Err())
	}
}

// ask returns the question that the source is asked now.
func (n *Node) ask() *question {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.asked != nil:
		return n.asked
	case n.source == nil:
		q := &question{done: make(chan struct{}), status: event.NodeStatus{Name: n.name, State: stateStarting, Reason: "its store is being opened"}}
		close(q.done)
		return q
	}
	n.asked = &question{done: make(chan struct{})}
	go n.answer(n.source, n.asked)
	return n.asked
}

// answer puts a question to the source. Its context is that of nobody who asked, because the answer is for all of them.
func (n *Node) answer(source Source, q *question) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	q.status, q.err = source.Status(ctx)
	n.mu.Lock()
	n.asked = nil
	n.mu.Unlock()
	close(q.done)
}

// told is what a node has said, or why it has not.
type told struct {
	node   *Node
	status event.NodeStatus
	err    error
}

// askAll asks all nodes at once.
func askAll(ctx context.Context, nodes []*Node) []told {
	all := make([]told, len(nodes))
	var asking sync.WaitGroup
	for i, n := range nodes {
		asking.Go(func() {
			status, err := n.status(ctx)
			all[i] = told{n, status, err}
		})
	}
	asking.Wait()
	return all
}
