package history

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Linearizable checks each list by itself: there must be an order of all that was done to it which explains every
// value, length and list that was seen, and in which whatever had returned comes before what was asked for later.
//
// A transaction of unknown outcome may take effect at any time after it was asked for, and is left out if none of
// its values was ever read. A list on which the search for an order takes longer than timeout is an error too.
func Linearizable(txns []Txn, timeout time.Duration) error {
	var errs []error
	calls := project(txns)
	for _, key := range sortedKeys(calls) {
		switch porcupine.CheckOperationsTimeout(model(), calls[key], timeout) {
		case porcupine.Illegal:
			errs = append(errs, fmt.Errorf("history: %s is not linearizable over %d calls", key, len(calls[key])))
		case porcupine.Unknown:
			errs = append(errs, fmt.Errorf("history: %s was not decided within %s over %d calls", key, timeout, len(calls[key])))
		}
	}
	return errors.Join(errs...)
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// project returns, for each key, the calls that the transactions make on it.
func project(txns []Txn) map[string][]porcupine.Operation {
	seen := valuesRead(txns)
	calls := make(map[string][]porcupine.Operation)
	for i := range txns {
		t := &txns[i]
		if t.Outcome == Unknown && !slices.ContainsFunc(t.Ops, func(op Op) bool { return op.Kind == AppendKind && seen[op.Key][op.Value] }) {
			continue
		}
		byKey := make(map[string][]action)
		for _, op := range t.Ops {
			if op.Kind != AppendKind || t.Outcome != Refused {
				byKey[op.Key] = append(byKey[op.Key], newAction(op))
			}
		}
		for _, key := range sortedKeys(byKey) {
			call := porcupine.Operation{Input: byKey[key], Call: t.Invoke, Return: t.Return}
			if t.Outcome == Unknown {
				call.Return = math.MaxInt64
			}
			calls[key] = append(calls[key], call)
		}
	}
	return calls
}

// valuesRead returns all values that stand in any list that was read.
func valuesRead(txns []Txn) map[string]map[int64]bool {
	seen := make(map[string]map[int64]bool)
	for i := range txns {
		for _, op := range txns[i].Ops {
			if op.Kind != ReadKind {
				continue
			}
			if seen[op.Key] == nil {
				seen[op.Key] = make(map[int64]bool)
			}
			for _, value := range op.List {
				seen[op.Key][value] = true
			}
		}
	}
	return seen
}

// state is a list, told by its length and a hash of its values.
type state struct {
	length int
	hash   uint64
}

func (s state) append(value int64) state {
	const prime = 1099511628211
	return state{s.length + 1, (s.hash ^ uint64(value)) * prime}
}

// action is an Op on one key, with what it saw as a state.
type action struct {
	kind  Kind
	value int64
	saw   state
}

func newAction(op Op) action {
	a := action{kind: op.Kind, value: op.Value, saw: state{length: op.Length}}
	if op.Kind == ReadKind {
		a.saw = state{}
		for _, value := range op.List {
			a.saw = a.saw.append(value)
		}
	}
	return a
}

// model is a list that all of a transaction's actions on it are done to at once.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return state{} },
		Step: func(before, input, _ any) (bool, any) {
			s := before.(state)
			for _, a := range input.([]action) {
				switch a.kind {
				case AppendKind:
					s = s.append(a.value)
				case ReadKind:
					if s != a.saw {
						return false, s
					}
				case LengthKind:
					if s.length != a.saw.length {
						return false, s
					}
				case AtLeastKind:
					if s.length < a.saw.length {
						return false, s
					}
				}
			}
			return true, s
		},
	}
}
