package blackbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"natsaccord/event"
	"natsaccord/tests/history"
)

// checkLocal checks that every local read saw a beginning of what its stream is in the end, and returns how many were stale: lacked what had
// been acknowledged before they began.
func checkLocal(l *ledger, log []event.Event) (stale int, err error) {
	values, err := valuesOf(log)
	if err != nil {
		return 0, err
	}
	streams := make(map[string][]int64)
	for i, e := range log {
		streams[string(e.Stream)] = append(streams[string(e.Stream)], values[i])
	}
	acknowledged := make(map[string][]int64) // by stream, when
	for _, txn := range l.history.Txns() {
		for _, op := range txn.Ops {
			if op.Kind == history.AppendKind && txn.Outcome == history.Committed {
				acknowledged[op.Key] = append(acknowledged[op.Key], txn.Return)
			}
		}
	}
	for _, returns := range acknowledged {
		slices.Sort(returns)
	}
	var f findings
	for _, txn := range l.local {
		saw, whole := txn.Ops[0], streams[txn.Ops[0].Key]
		if len(saw.List) > len(whole) || !slices.Equal(saw.List, whole[:len(saw.List)]) {
			f.add("%s saw %v in %s, which is %v in the end", txn.Client, saw.List, saw.Key, whole)
		}
		if before, _ := slices.BinarySearch(acknowledged[saw.Key], txn.Invoke); before > len(saw.List) {
			stale++
		}
	}
	return stale, f.err()
}

// TestLocalReadsAreStale cuts a node off and appends at the others. A local read there does not see it, and the checkers see that; a
// linearizable one gives no answer, until the node is back, and then the right one.
func TestLocalReadsAreStale(t *testing.T) {
	c := startCluster(t, sqliteStorage(t, 3))
	l := newLedger()
	n3, err := c.at(2, 2)
	if err != nil {
		t.Fatal(err)
	}
	cut := c.isolate(2, true)
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := poll(ctx, func() error { return l.mark(ctx, c.clients[0]) }); err != nil {
		t.Fatal(err)
	}
	if version, err := l.read(ctx, "local", n3, "mark.all", event.Local); err != nil || version != 0 {
		t.Errorf("local: got %d events, %v, want none: it cannot know of any", version, err)
	}
	brief, done := context.WithTimeout(ctx, 2*time.Second)
	version, err := l.read(brief, "linearizable", n3, "mark.all", event.Linearizable)
	done()
	if err == nil {
		t.Errorf("linearizable: got %d events from a node that has no quorum", version)
	}
	if err := cut.Mend(); err != nil {
		t.Fatal(err)
	}
	if err := poll(ctx, func() error {
		version, err = l.read(ctx, "linearizable", n3, "mark.all", event.Linearizable)
		return err
	}); err != nil || version == 0 {
		t.Errorf("linearizable, behind the partition: got %d events, %v", version, err)
	}
	finish(t, &workload{cluster: c, ledger: l, reads: 1})
	txns := append(l.history.Txns(), l.local...)
	if err := history.Linearizable(txns, time.Minute); err == nil {
		t.Error("porcupine does not see that a local read is stale")
	}
	if report := history.Check(txns); !report.Has(history.GSingleRealtime) {
		t.Errorf("the checker does not see that a local read is stale: %v", report)
	}
}

// TestJudgeLocal damages a local read.
func TestJudgeLocal(t *testing.T) {
	for saw, want := range map[[3]int64]error{{3, 9, 15}: nil, {3, 15, 9}: errors.New("wrong")} {
		l, logs := world(t)
		l.local = append(l.local, history.Txn{Client: "c", Invoke: l.history.Now(), Ops: []history.Op{history.Read("a.1", saw[:]...)}})
		if stale, err := checkLocal(l, logs[0]); (err == nil) != (want == nil) || stale != 0 {
			t.Errorf("%s: got %d stale, %v, want %v", fmt.Sprint(saw), stale, err, want)
		}
		l.local[0].Ops[0] = history.Read("a.1", 3, 9)
		if stale, err := checkLocal(l, logs[0]); err != nil || stale != 1 {
			t.Errorf("got %d stale, %v, want 1", stale, err)
		}
	}
}
