package sqlstore

import (
	"fmt"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// batch is a run of transactions to be applied, decoded.
type batch struct {
	executions []accord.Execution
	commands   []event.Command // of all of them, in order
	first      []int           // where in commands those of each transaction begin
	want       wanted          // its txnIDs are those of executions
}

func newBatch(executions []accord.Execution) (*batch, error) {
	n := len(executions)
	b := &batch{executions: executions, commands: make([]event.Command, 0, n), first: make([]int, n)}
	b.want.txnIDs = make([]string, n)
	for i := range executions {
		rec := &executions[i].Record
		command, err := event.DecodeCommand(rec.Txn.Body)
		if err != nil {
			return nil, fmt.Errorf("sqlstore: decode transaction %s: %w", rec.ID, err)
		}
		b.first[i], b.want.txnIDs[i] = len(b.commands), rec.ID.String()
		if command.Bundle != nil {
			b.commands = append(b.commands, command.Bundle...)
		} else {
			b.commands = append(b.commands, command)
		}
	}
	for i := range b.commands {
		b.want.want(b.commands[i])
	}
	return b, nil
}

// parts returns how many commands a transaction has.
func (b *batch) parts(txn int) int {
	if txn+1 < len(b.first) {
		return b.first[txn+1] - b.first[txn]
	}
	return len(b.commands) - b.first[txn]
}

// moment returns when, in the agreed order, a transaction executes.
func moment(id accord.TxnID, executeAt accord.Timestamp) event.Moment {
	return event.Moment{TxnID: id.String(), ExecuteAt: executeAt.String(), Time: time.UnixMicro(int64(executeAt.HLC)).UTC()}
}

// decide evaluates a batch. The outcomes of what is applied already are left open.
func (b *batch) decide(caughtUp string, l *loaded) ([]event.Outcome, *effects) {
	outcomes := make([]event.Outcome, len(b.commands))
	todo := roomFor(len(b.commands))
	for i, id := range b.want.txnIDs {
		if l.applied[id] {
			continue
		}
		rec := b.executions[i].Record
		rec.Status = accord.StatusApplied
		todo.applied = append(todo.applied, rec)
		at := moment(rec.ID, rec.ExecuteAt)
		parts := b.commands[b.first[i]:][:b.parts(i)]
		if note := decideParts(parts, at, caughtUp, l, todo, outcomes[b.first[i]:]); note != (applied{}) {
			todo.outcomes[id] = note.encode()
		}
	}
	return outcomes, todo
}

// decideParts evaluates the commands of a transaction, and returns what is to be noted of their outcomes.
func decideParts(parts []event.Command, at event.Moment, caughtUp string, l *loaded, todo *effects, outcomes []event.Outcome) (note applied) {
	txnID := at.TxnID
	for i := range parts {
		at.TxnID = event.PartID(txnID, i)
		if at.ExecuteAt <= caughtUp {
			outcomes[i] = l.caught(parts[i], at)
			continue
		}
		if first, done := l.done(parts[i], at.TxnID); done {
			outcomes[i] = first
			at.First += len(first.Events)
			continue
		}
		evaluation := l.state.Evaluate(parts[i], at)
		outcomes[i] = evaluation.Outcome
		at.First += len(evaluation.Events)
		todo.add(evaluation, at.ExecuteAt)
		note.add(i, noteOf(&evaluation.Outcome))
	}
	return note
}

// done returns the outcome of an append that has been evaluated as this very transaction.
func (l *loaded) done(command event.Command, txnID string) (event.Outcome, bool) {
	if command.Append == nil {
		return event.Outcome{}, false
	}
	first, known := l.state.Requests[command.Append.RequestID]
	return first.Outcome, known && first.TxnID == txnID
}

// caught returns the outcome of a transaction whose effects came with another node's log. Of what is not an append
// nothing tells it: the zero Outcome.
func (l *loaded) caught(command event.Command, at event.Moment) event.Outcome {
	if command.Append == nil {
		return event.Outcome{}
	}
	if first, known := l.state.Requests[command.Append.RequestID]; !known || first.TxnID == at.TxnID {
		return first.Outcome
	}
	return l.state.Evaluate(command, at).Outcome // a repeat, which changes nothing
}
