package accordtest_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"

	"natsaccord/accord"
	"natsaccord/accord/accordtest"
)

var drillCourses = flag.Uint64("drills", 0, "TestKilled…: how many courses of each drill to take apart; 0: some of one")

const ms = accord.Millisecond

// drill is a small run that is repeated with nodes killed at each of their steps in turn, in every way to die there.
//
// A node's steps are what it takes in: messages, the end of a sync, time. Killing it after one of them, with any
// of what it has on its way lost, is as bad as killing it at any time before its next.
type drill struct {
	name   string
	nodes  int
	fast   int // fast quorum; zero: the core's default
	elect  []accord.NodeID
	orders []accordtest.Order
	dead   []accordtest.Kill // from the beginning
	victim accord.NodeID     // the first to be killed
	second accord.NodeID     // the second, if two are
	slow   float64           // share of slow links
	jitter uint64            // of messages, microseconds; zero: 100
	course uint64            // the seed of the first
}

// The subject of a drill, with the fence that follows it, is over by subjectEnd. What others begin then waits for
// it where it is on the same key, and must not where it is on another. What they begin in the end finds nothing in
// their way.
const (
	subjectEnd = 15 * ms
	theEnd     = 2500 * ms
	blockedMax = 3 * accord.Second // time enough to suspect the dead and to recover
)

func keys(names ...accord.Key) []accord.Key { return names }

// orders adds to the subjects of a drill what the last two nodes that live want.
func orders(last accord.NodeID, subjects ...accordtest.Order) []accordtest.Order {
	return append(subjects, []accordtest.Order{
		{At: subjectEnd, Node: last - 1, Keys: keys("k")},
		{At: subjectEnd, Node: last, Keys: keys("l")},
		{At: subjectEnd + ms, Node: last, Keys: keys("k"), Read: true},
		{At: theEnd, Node: last - 1, Keys: keys("k", "l")},
		{At: theEnd, Node: last, Keys: keys("k"), Read: true},
	}...)
}

// judge runs the drill with some nodes killed. A seed stands for the times that messages and syncs take.
func (d drill) judge(t *testing.T, seed uint64, kills ...accordtest.Kill) accordtest.Report {
	t.Helper()
	r := accordtest.Run(seed, accordtest.Options{
		Nodes: d.nodes, FastQuorum: d.fast, Electorate: d.elect, Orders: d.orders, Kills: slices.Concat(d.dead, kills),
		Batch: 1, Delay: 100, Jitter: max(100, d.jitter), Slow: d.slow, SyncTime: 150, ApplyTime: 50, Every: 1000,
		Core: accord.Config{FenceEvery: 5 * ms, FenceDelay: ms},
	})
	if r.Violation != nil {
		t.Fatalf("%+v: %s", kills, r.Error())
	}
	if err := d.blocked(r.Answers, kills); err != nil {
		t.Fatalf("seed %d, %+v: %v", seed, kills, err)
	}
	return r
}

// blocked returns what is wrong with the answers to those who did not ask a victim.
func (d drill) blocked(answers []accordtest.Answer, victims []accordtest.Kill) error {
	for i, a := range answers {
		switch order := d.orders[i]; {
		case slices.ContainsFunc(victims, func(k accordtest.Kill) bool { return k.Node == order.Node }):
		case a.Answered == 0:
			return fmt.Errorf("order %d of node %d is not answered", i, order.Node)
		case a.Never:
			return fmt.Errorf("order %d of node %d is not carried out", i, order.Node)
		case a.Answered > a.Asked+blockedMax:
			return fmt.Errorf("order %d of node %d takes %d ms", i, order.Node, (a.Answered-a.Asked)/ms)
		}
	}
	return nil
}

// stepsAfter returns the steps before which to kill a node, one after each of its own in a part of the course.
func stepsAfter(course []accordtest.Moment, node accord.NodeID, from, until uint64) (steps []uint64) {
	for i, m := range course {
		if m.Node == node && uint64(i) >= from && m.At < until {
			steps = append(steps, uint64(i)+1)
		}
	}
	return steps
}

// some returns all steps or, if not told to try them all, some.
func some(steps []uint64, every int) []uint64 {
	if *drillCourses > 0 {
		return steps
	}
	var few []uint64
	for i := 0; i < len(steps); i += every * slower {
		few = append(few, steps[i])
	}
	return few
}

// everyDeath runs the drill with its victim killed at each step, in every way.
func (d drill) everyDeath(t *testing.T, seed uint64) (total accordtest.Stats) {
	t.Helper()
	for _, step := range some(stepsAfter(d.judge(t, seed).Course, d.victim, 0, subjectEnd), 1) {
		kill := accordtest.Kill{Node: d.victim, Step: step}
		r := d.judge(t, seed, kill)
		total.Add(r.Stats)
		for _, kill := range waysToDie(kill, r.Killed[len(d.dead)]) {
			total.Add(d.judge(t, seed, kill).Stats)
		}
	}
	return total
}

// waysToDie varies a kill: for good, for a moment or until others have done its work; losing any of what it had
// on its way, and any part of what it had not synced.
func waysToDie(kill accordtest.Kill, met accordtest.Killed) (ways []accordtest.Kill) {
	for _, down := range []uint64{0, 1, 1500 * ms} {
		for lose := range uint64(1) << min(met.Sent, 3) {
			for keep := range met.Unsynced + 1 {
				kill.Down, kill.Lose, kill.Keep = down, lose, keep
				ways = append(ways, kill)
			}
		}
	}
	return ways
}

// TestKilledAtEachStep kills a transaction's coordinator, or a replica, before and after each message it takes or
// sends and each sync. (D1, D3)
func TestKilledAtEachStep(t *testing.T) {
	subject := accordtest.Order{Node: 1, Keys: keys("k")}
	rival := accordtest.Order{At: 200, Node: 2, Keys: keys("k")}
	for _, d := range []drill{
		{name: "alone, of 3", nodes: 3, orders: orders(3, subject), victim: 1},
		{name: "alone, of 5", nodes: 5, orders: orders(5, subject), victim: 1},
		{name: "contended, of 3", nodes: 3, orders: orders(3, subject, rival), victim: 1},
		{name: "contended, of 5, with slow links", nodes: 5, orders: orders(5, subject, rival), victim: 1, slow: 0.3},
		{name: "without a fast quorum, of 5", nodes: 5, orders: orders(4, subject), dead: []accordtest.Kill{{Node: 5}}, victim: 1},
		{name: "contended, of 4", nodes: 4, orders: orders(4, subject, rival), victim: 1},
		{name: "contended, of 3, out of order", nodes: 3, orders: orders(3, subject, rival), victim: 1, jitter: 3000, course: 2},
		{name: "a replica's, of 3", nodes: 3, orders: orders(2, subject, rival), victim: 3},
		{name: "alone, four of 5 decide", nodes: 5, fast: 4, orders: orders(5, subject), victim: 1},
		{name: "contended, four of 5 decide, with slow links", nodes: 5, fast: 4, orders: orders(5, subject, rival), victim: 1, slow: 0.3},
		{name: "contended, two of 3 are electors", nodes: 3, elect: []accord.NodeID{1, 2}, orders: orders(3, subject, rival), victim: 1},
		{name: "contended, two of 3 are electors, the coordinator is none", nodes: 3, elect: []accord.NodeID{2, 3}, orders: orders(3, subject, rival), victim: 1},
		{name: "contended, three of 5 are electors", nodes: 5, elect: []accord.NodeID{1, 2, 3}, orders: orders(5, subject, rival), victim: 1},
		{name: "four of 5 decide, with one gone", nodes: 5, fast: 4, orders: orders(4, subject, rival), dead: []accordtest.Kill{{Node: 5}}, victim: 1},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			var total accordtest.Stats
			for seed := range max(1, *drillCourses) {
				total.Add(d.everyDeath(t, d.course+seed))
			}
			t.Logf("%v", total)
			if d.jitter > 0 && slower == 1 && (total.Recovered == 0 || total.Invalidated == 0) {
				t.Errorf("%d recovered, %d invalidated, want both to happen", total.Recovered, total.Invalidated)
			}
		})
	}
}

// everyTwoDeaths runs the drill with both victims killed, the second at each of its steps after the first died, in
// a part of the course. Each loses all or nothing of what it had on its way.
func (d drill) everyTwoDeaths(t *testing.T, seed, until, down uint64) (total accordtest.Stats) {
	t.Helper()
	for _, step := range some(stepsAfter(d.judge(t, seed).Course, d.victim, 0, subjectEnd), 3) {
		for _, lose := range []uint64{0, ^uint64(0)} {
			first := accordtest.Kill{Node: d.victim, Step: step, Lose: lose, Down: down}
			r := d.judge(t, seed, first)
			total.Add(r.Stats)
			for _, step := range some(stepsAfter(r.Course, d.second, step, until), 2) {
				for _, lose := range []uint64{0, ^uint64(0)} {
					second := accordtest.Kill{Node: d.second, Step: step, Lose: lose, Down: down}
					total.Add(d.judge(t, seed, first, second).Stats)
				}
			}
		}
	}
	return total
}

// TestBothKilled kills the coordinators of two conflicting transactions, each at each step, or a coordinator and
// then whoever recovers. (D2)
func TestBothKilled(t *testing.T) {
	subject := accordtest.Order{Node: 1, Keys: keys("k")}
	rival := accordtest.Order{At: 200, Node: 2, Keys: keys("k")}
	for _, test := range []struct {
		drill
		until, down uint64
	}{
		{drill{name: "two coordinators, of 5", nodes: 5, orders: orders(5, subject, rival), victim: 1, second: 2}, subjectEnd, 0},
		{drill{name: "two coordinators, the second first", nodes: 5, orders: orders(5, subject, rival), victim: 2, second: 1}, subjectEnd, 0},
		{drill{name: "two coordinators, of 3, that come back", nodes: 3, orders: orders(3, subject, rival), victim: 1, second: 2}, subjectEnd, 700 * ms},
		{drill{name: "a coordinator, and who recovers", nodes: 5, orders: orders(5, subject), victim: 1, second: 2}, theEnd, 0},
		{drill{name: "two coordinators, three of 5 are electors", nodes: 5, elect: []accord.NodeID{1, 2, 3}, orders: orders(5, subject, rival), victim: 1, second: 2}, subjectEnd, 0},
		{drill{name: "two coordinators, four of 5 decide", nodes: 5, fast: 4, orders: orders(5, subject, rival), victim: 1, second: 2}, subjectEnd, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var total accordtest.Stats
			for seed := range max(1, *drillCourses) {
				total.Add(test.everyTwoDeaths(t, seed, test.until, test.down))
			}
			t.Logf("%v", total)
		})
	}
}

// TestRecoveryStorm leaves a hundred undecided transactions behind, which all nodes that live want to recover. (D40)
func TestRecoveryStorm(t *testing.T) {
	const count = 100
	orders := []accordtest.Order{{Node: 1, Keys: keys("first")}} // so that node 1 has its clock reserved
	key := func(i int) []accord.Key { return keys(accord.Key(fmt.Sprintf("k%d", i))) }
	for i := range count {
		orders = append(orders, accordtest.Order{At: 5 * ms, Node: 1, Keys: key(i)})
	}
	for i := range count {
		orders = append(orders, accordtest.Order{At: subjectEnd, Node: 2 + accord.NodeID(i%4), Keys: key(i)})
	}
	d := drill{nodes: 5, orders: orders}
	// Node 1 dies when all have been submitted. All PreAccepts are on their way then, and hardly an answer is back.
	submitted := 0
	step := slices.IndexFunc(d.judge(t, 0).Course, func(m accordtest.Moment) bool {
		if m.Node == 0 {
			submitted++
		}
		return submitted == 1+count
	})
	r := d.judge(t, 0, accordtest.Kill{Node: 1, Step: uint64(step) + 1})
	if s := r.Stats; s.Recovered+s.Invalidated < count || s.Attempted > 4*count {
		t.Errorf("%d transactions took %d attempts, %d of them decided and %d invalidated", count, s.Attempted, s.Recovered, s.Invalidated)
	}
}
