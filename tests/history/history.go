// Package history records what concurrent clients did to lists of unique values, and checks what they saw.
//
// Check infers the order of transactions from list-append histories, by the method of Elle (Kingsbury and Alvaro,
// "Elle: Inferring Isolation Anomalies from Experimental Observations", VLDB 2020): a list that was read tells in
// which order its values were appended, so that every read and every append has its place, and a cycle of
// dependencies is proof of an anomaly. Its time is linear in the history but for one term that only broken histories
// pay. Linearizable checks every list by itself with porcupine, which searches for an order instead of inferring it.
package history

import (
	"sync"
	"sync/atomic"
)

// Txn is one transaction as its client saw it.
type Txn struct {
	Client  string  // who asked; it has one transaction at a time
	Invoke  int64   // when it was asked for, by Recorder.Now
	Return  int64   // when its outcome was known; means nothing if the outcome is Unknown
	Outcome Outcome //
	Ops     []Op    // in the order in which the transaction does them
	Order   string  // sorts as the order in which the system says that transactions took effect; empty: it did not say
}

// Outcome is what a client was told.
type Outcome uint8

// What can become of a transaction.
const (
	Unknown   Outcome = iota // it may have taken effect, or may yet
	Committed                // it took effect
	Refused                  // nothing was appended, and nothing will be; what it read was so
)

// Op is one step of a transaction.
type Op struct {
	Kind   Kind
	Key    string
	Value  int64   // of an AppendKind; no value is appended twice to one key
	List   []int64 // of a ReadKind
	Length int     // of a LengthKind and an AtLeastKind
}

// Kind is what an Op does.
type Kind uint8

// What an Op can do.
const (
	AppendKind  Kind = iota // adds a value to the end of a list
	ReadKind                // sees a list as it is
	LengthKind              // sees how long a list is
	AtLeastKind             // sees that a list has so many values, or more
)

// Append adds value to the end of key's list.
func Append(key string, value int64) Op { return Op{Kind: AppendKind, Key: key, Value: value} }

// Read sees key's list, the transaction's own earlier values included.
func Read(key string, list ...int64) Op { return Op{Kind: ReadKind, Key: key, List: list} }

// Length sees how long key's list is, the transaction's own earlier values included.
func Length(key string, n int) Op { return Op{Kind: LengthKind, Key: key, Length: n} }

// AtLeast sees that key's list has n values or more, the transaction's own not counted.
func AtLeast(key string, n int) Op { return Op{Kind: AtLeastKind, Key: key, Length: n} }

// Recorder collects the transactions of concurrent clients. The zero Recorder is empty and ready; its methods may
// be called concurrently.
type Recorder struct {
	clock atomic.Int64
	mu    sync.Mutex
	txns  []Txn
}

// Now is a clock on which no two moments are the same, and which agrees with the order of events in this process.
func (r *Recorder) Now() int64 { return r.clock.Add(1) }

// Add takes a transaction whose Return is now.
func (r *Recorder) Add(t Txn) {
	t.Return = r.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.txns = append(r.txns, t)
}

// Txns returns all transactions in the order in which they were added.
func (r *Recorder) Txns() []Txn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Txn(nil), r.txns...)
}
