package history_test

import (
	"sync"
	"testing"

	"natsaccord/tests/history"
)

func TestRecorderKeepsTheOrderOfEvents(t *testing.T) {
	var r history.Recorder
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := range 100 {
				r.Add(history.Txn{Invoke: r.Now(), Ops: []history.Op{app("x", int64(100*c+i))}})
			}
		})
	}
	clients.Wait()
	txns, moments := r.Txns(), make(map[int64]bool)
	for i, txn := range txns {
		if txn.Return <= txn.Invoke || moments[txn.Invoke] || moments[txn.Return] {
			t.Errorf("transaction %d took from %d to %d", i, txn.Invoke, txn.Return)
		}
		moments[txn.Invoke], moments[txn.Return] = true, true
	}
	if len(txns) != 800 {
		t.Errorf("recorded %d transactions, want 800", len(txns))
	}
	txns[0].Client = "changed"
	if r.Txns()[0].Client != "" {
		t.Error("what Txns returns is the recorder's own")
	}
}
