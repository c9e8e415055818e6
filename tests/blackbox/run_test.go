package blackbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"natsaccord/event"
	"natsaccord/tests/nemesis"
)

// pace is how often faults come and how long they last, for a length of a run.
func pace(length time.Duration) (gap time.Duration, s span) {
	if length < time.Minute {
		return 600 * time.Millisecond, span{50 * time.Millisecond, 800 * time.Millisecond}
	}
	return 3 * time.Second, span{200 * time.Millisecond, 6 * time.Second}
}

// TestRun has clients append and read while things go wrong, for -length; then everything is mended, and what the clients were told must
// agree with what the nodes have.
func TestRun(t *testing.T) {
	for name, storage := range map[string]func(*testing.T, int) *storage{"SQLite": sqliteStorage, "Postgres": postgresStorage} {
		t.Run(name, func(t *testing.T) { runWith(t, storage(t, 3)) })
	}
}

func runWith(t *testing.T, s *storage) {
	seed := freshSeed(t)
	c := startCluster(t, s)
	gap, lasting := pace(settings.length)
	plan := nemesis.NewPlan(seed, settings.length, gap, c.faults(lasting))
	w := &workload{cluster: c, ledger: newLedger(), registry: newRegistry(), seed: seed, rate: settings.rate, input: loadInput(t)}
	following, consuming := follow(t, c, seed), consume(t, c, seed)
	loading, stop := context.WithCancel(t.Context())
	running := w.start(loading, 8, 6)
	started := time.Now()
	happened := make(map[string]int)
	err := plan.Run(t.Context(), func(s nemesis.Step) {
		t.Logf("%8.2fs %s", time.Since(started).Seconds(), s)
		if !s.Mends {
			happened[kindOfFault(s.Fault.Name)]++
		}
	})
	if err != nil {
		t.Error(err)
	}
	stop()
	running.Wait()
	t.Logf("%d faults: %v", plan.Faults(), happened)
	log := finish(t, w)
	checkReaders(t, w, following, consuming, log)
	if settings.length >= 2*time.Minute {
		if lacks := lacking(happened, w.stale); len(lacks) > 0 {
			t.Errorf("the run shows nothing of %v", lacks)
		}
	}
}

// lacking returns what a run is to have had for its linearizable reads to show anything, and had not: nodes killed, nodes cut off from others, and local
// reads that were stale meanwhile. By chance that is so only of short runs.
func lacking(happened map[string]int, stale int) (lacks []string) {
	if happened["kill n"]+happened["kill n n"]+happened["kill n n n"] == 0 {
		lacks = append(lacks, "kills")
	}
	if happened["isolate n"]+happened["isolate n and lose"]+happened["n does not hear n"] == 0 {
		lacks = append(lacks, "partitions")
	}
	if stale == 0 {
		lacks = append(lacks, "stale local reads")
	}
	return lacks
}

// kindOfFault is its name without the numbers of nodes.
func kindOfFault(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r >= '0' && r <= '9' }), "")
}

// TestLackingKnowsFaults: the names that are looked for are those that faults have.
func TestLackingKnowsFaults(t *testing.T) {
	c := &cluster{nodes: make([]*node, 3), storage: &storage{}}
	happened := make(map[string]int)
	for i := range c.nodes {
		c.nodes[i] = &node{}
	}
	for _, f := range c.faults(span{}) {
		happened[kindOfFault(f.Name)]++
	}
	if lacks := lacking(happened, 1); len(lacks) > 0 {
		t.Errorf("%v: found no %v", happened, lacks)
	}
	for kind := range happened {
		if strings.HasPrefix(kind, "kill") || strings.Contains(kind, "isolate") || strings.Contains(kind, "hear") {
			delete(happened, kind)
		}
	}
	if lacks := lacking(happened, 0); len(lacks) != 3 {
		t.Errorf("%v: misses only %v", happened, lacks)
	}
}

// checkReaders checks what those saw who followed the log, what handlers were called with, and what those were told who registered addresses.
func checkReaders(t *testing.T, w *workload, following *followers, consuming *consumers, log []event.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := following.check(ctx, log); err != nil {
		t.Error(err)
	}
	if err := consuming.check(ctx, log); err != nil {
		t.Error(err)
	}
	if err := w.registry.check(log); err != nil {
		t.Error(err)
	}
	t.Logf("%s; %s; %s", following, consuming, w.registry)
	if len(w.registry.winners) == 0 || w.registry.refused == 0 || w.registry.looks == 0 || settings.length >= time.Minute && consuming.moves == 0 {
		t.Error("nobody registered anything, was refused, or looked for it, or no shard moved")
	}
}

// finish waits until the cluster has come to rest, checks everything, and returns the log.
func finish(t *testing.T, w *workload) []event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	if err := w.cluster.settle(ctx, w.ledger); err != nil {
		t.Fatal("the cluster does not come to rest: ", err)
	}
	t.Logf("at rest after %s", time.Since(began).Round(time.Millisecond))
	if err := w.ledger.resolve(t.Context(), w.cluster.clients); err != nil {
		t.Error(err)
	}
	verified, err := w.cluster.verify()
	if err != nil {
		t.Error(err)
	}
	logs, err := w.cluster.logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := judge(w.ledger, logs)
	if err != nil {
		t.Error(err)
	}
	if err := w.problems.err(); err != nil {
		t.Error(err)
	}
	w.stale, err = checkLocal(w.ledger, logs[0])
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d of %d local reads were stale", w.stale, len(w.ledger.local))
	t.Logf("%s; %v; %d reads, %d requests repeated; %d transactions, dependencies %v", verified, told(w.ledger), w.reads, w.repeats, report.Txns, report.Edges)
	for _, n := range w.cluster.nodes {
		ends, _ := n.faulty() // the error is told when the cluster is stopped
		t.Logf("%s ended by itself %d times", n.name, ends)
	}
	if w.ledger.told["committed"] == 0 || w.reads == 0 {
		t.Error("nothing was done")
	}
	return logs[0]
}

func told(l *ledger) string {
	var all []string
	for kind, n := range l.told {
		all = append(all, fmt.Sprint(n, " ", kind))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
