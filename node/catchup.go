package node

import (
	"context"
	"errors"
	"time"

	"natsaccord/accord"
)

// partWait is how long a part of another node's log may take, and partTries how often it is asked for.
const (
	partWait  = 10 * time.Second
	partTries = 3
)

var errBadQuestion = errors.New("node: not a question about a log")

// catchUp merges the log of another node into this one's store, part by part, and tells the Machine. It runs in
// place of executions: nothing may be applied meanwhile. What is merged stays merged if the rest fails, and the
// next attempt, at whatever node, goes on from there. docs/protocol.md §8.5.
func (n *Node) catchUp(ctx context.Context, c accord.CatchUp) {
	report, err := n.mergeLog(ctx, c)
	if err != nil {
		report = accord.CaughtUp{}
		if ctx.Err() == nil {
			n.cfg.Logger.Warn("log of a peer is not merged", "node", n.cfg.Name, "peer", n.cfg.Nodes[c.From-1], "error", err)
		}
	} else {
		n.cfg.Logger.Info("caught up from the log of a peer", "node", n.cfg.Name, "peer", n.cfg.Nodes[c.From-1], "frontier", report.Watermark)
	}
	n.inputs.put(input{step: report})
}

func (n *Node) mergeLog(ctx context.Context, c accord.CatchUp) (report accord.CaughtUp, err error) {
	cursor, err := n.store.LogCursor(ctx)
	if err != nil {
		return report, err
	}
	for {
		part, err := n.askLog(ctx, c, cursor)
		if err != nil {
			return report, err
		}
		if cursor, report, err = n.store.MergeLog(ctx, part); err != nil || cursor == "" {
			return report, err
		}
		n.changed.signal()
	}
}

// askLog asks for one part, again if it gets lost.
func (n *Node) askLog(ctx context.Context, c accord.CatchUp, cursor string) (part []byte, err error) {
	question := []byte(c.After.String() + cursor)
	for range partTries {
		asking, cancel := context.WithTimeout(ctx, partWait)
		part, err = n.bus.AskLog(asking, c.From, question)
		cancel()
		if err == nil || ctx.Err() != nil {
			return part, err
		}
	}
	return nil, err
}

// AnswerLog answers what another node asks about this node's log. It may be called concurrently.
func (n *Node) AnswerLog(ctx context.Context, question []byte) ([]byte, error) {
	if len(question) < accord.TextSize {
		return nil, errBadQuestion
	}
	since, err := accord.ParseTimestamp(string(question[:accord.TextSize]))
	if err != nil {
		return nil, errors.Join(errBadQuestion, err)
	}
	cursor := string(question[accord.TextSize:])
	if _, err := accord.ParseTimestamp(cursor); cursor != "" && err != nil {
		return nil, errors.Join(errBadQuestion, err)
	}
	return n.store.ReadLog(ctx, since, cursor)
}

// prune deletes from the journal what is over and older than it is to be kept.
func (n *Node) prune(ctx context.Context) error {
	every := min(max(n.cfg.Retention/10, time.Second), time.Minute)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if _, err := n.store.Prune(ctx, n.cfg.Now().Add(-n.cfg.Retention)); err != nil && ctx.Err() == nil {
			n.cfg.Logger.Warn("journal is not pruned", "node", n.cfg.Name, "error", err)
		}
	}
}
