package blackbox

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"natsaccord/tests/nemesis"
)

// span is how long faults last.
type span struct{ shortest, longest time.Duration }

// faults returns everything that can happen to the cluster.
func (c *cluster) faults(s span) []nemesis.Fault {
	var all []nemesis.Fault
	for i := range c.nodes {
		all = append(all, c.kill(i), c.pause(i), c.isolate(i, true), c.isolate(i, false), c.restartNATS(i))
		for j := range c.nodes {
			if i != j {
				all = append(all, c.deafen(i, j))
			}
		}
		if len(c.storage.servers) > 0 {
			all = append(all, c.crashPostgres(i))
		}
	}
	all = append(all, c.killMany(0, 1), c.killMany(1, 2), c.killMany(0, 1, 2))
	if c.storage.disk != "" {
		all = append(all, c.fillDisk(len(c.nodes)-1))
	}
	for i := range all {
		all[i].Shortest, all[i].Longest = s.shortest, s.longest
	}
	return all
}

func nodeOf(i int) string { return fmt.Sprintf("node %d", i+1) }

func routeOf(i, j int) string { return fmt.Sprintf("route %d-%d", min(i, j)+1, max(i, j)+1) }

// kill ends a node's process and starts another one later.
func (c *cluster) kill(i int) nemesis.Fault {
	return nemesis.Fault{Name: fmt.Sprintf("kill n%d", i+1), Needs: []string{nodeOf(i)}, Weight: 4, Start: c.nodes[i].kill, Mend: c.nodes[i].start}
}

// killMany does so to several at once: with all of them, what has not been synced is in no memory any more.
func (c *cluster) killMany(which ...int) nemesis.Fault {
	f := nemesis.Fault{Name: "kill"}
	for _, i := range which {
		f.Name += fmt.Sprintf(" n%d", i+1)
		f.Needs = append(f.Needs, nodeOf(i))
	}
	each := func(do func(n *node) error) error {
		var errs []error
		for _, i := range which {
			errs = append(errs, do(c.nodes[i]))
		}
		return errors.Join(errs...)
	}
	f.Start = func() error { return each((*node).kill) }
	f.Mend = func() error { return each((*node).start) }
	return f
}

// pause stops a node's process, as a machine that hangs does, and lets it go on later.
func (c *cluster) pause(i int) nemesis.Fault {
	return nemesis.Fault{
		Name: fmt.Sprintf("pause n%d", i+1), Needs: []string{nodeOf(i)}, Weight: 2,
		Start: func() error { return c.nodes[i].signal(syscall.SIGSTOP) },
		Mend:  func() error { return c.nodes[i].signal(syscall.SIGCONT) },
	}
}

// isolate cuts a node's server off all others. What was under way arrives late, or, if lose is set, never.
func (c *cluster) isolate(i int, lose bool) nemesis.Fault {
	f := nemesis.Fault{Name: fmt.Sprintf("isolate n%d", i+1), Weight: 2}
	if lose {
		f.Name += " and lose"
	}
	var others []int
	for j := range c.nodes {
		if j != i {
			others = append(others, j)
			f.Needs = append(f.Needs, routeOf(i, j))
		}
	}
	f.Start = func() error {
		for _, j := range others {
			c.network.separate(i, j)
		}
		return nil
	}
	f.Mend = func() error {
		for _, j := range others {
			c.network.join(i, j, lose)
		}
		return nil
	}
	return f
}

// deafen cuts what goes from one server to another, and nothing else.
func (c *cluster) deafen(from, to int) nemesis.Fault {
	return nemesis.Fault{
		Name: fmt.Sprintf("n%d does not hear n%d", to+1, from+1), Needs: []string{routeOf(from, to)},
		Start: func() error { c.network.cut(from, to); return nil },
		Mend:  func() error { c.network.join(from, to, false); return nil },
	}
}

// excused makes a fault one that a node's process may end by.
func (c *cluster) excused(i int, f nemesis.Fault) nemesis.Fault {
	start, mend := f.Start, f.Mend
	f.Start = func() error { c.nodes[i].excuse(); return start() }
	f.Mend = func() error { err := mend(); c.nodes[i].demand(); return err }
	return f
}

// restartNATS stops a node's NATS server and starts it again later. A node that starts meanwhile finds none and ends.
func (c *cluster) restartNATS(i int) nemesis.Fault {
	return c.excused(i, nemesis.Fault{
		Name: fmt.Sprintf("restart NATS of n%d", i+1), Needs: []string{fmt.Sprintf("nats %d", i+1)},
		Start: func() error { return c.network.stop(i) },
		Mend:  func() error { return c.network.resume(i) },
	})
}

// crashPostgres stops a node's Postgres as a crash would and starts it again later. The node ends by it.
func (c *cluster) crashPostgres(i int) nemesis.Fault {
	return c.excused(i, nemesis.Fault{
		Name: fmt.Sprintf("crash Postgres of n%d", i+1), Needs: []string{fmt.Sprintf("postgres %d", i+1)}, Weight: 3,
		Start: c.storage.servers[i].Crash,
		Mend:  c.storage.servers[i].Resume,
	})
}

// fillDisk leaves no room on a node's disk. The node ends by it.
func (c *cluster) fillDisk(i int) nemesis.Fault {
	return c.excused(i, nemesis.Fault{
		Name: fmt.Sprintf("fill the disk of n%d", i+1), Needs: []string{fmt.Sprintf("disk %d", i+1)}, Weight: 4,
		Start: c.storage.fill,
		Mend:  c.storage.empty,
	})
}
