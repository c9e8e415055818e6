package accordtest

import (
	"fmt"
	"math/rand/v2"

	"natsaccord/accord"
	"natsaccord/accord/quorum"
)

// Options describe a simulated run. Swarm draws them from a seed; a zero field means none of it. Rates are
// probabilities for each step of the simulation, or for each message; times are microseconds.
type Options struct {
	Nodes      int
	FastQuorum int             // 0: that of mode VS, or with an Electorate the smallest
	Electorate []accord.NodeID // nil: all nodes
	Mode       Mode            // how the options were drawn, if not by Swarm
	Policy     Policy
	StepTime   uint64 // mean time between two steps if the Policy is not Timed

	// The workload.
	Txns, Reads int
	HotKeys     int     // keys that most transactions fight for
	ColdKeys    int     // keys that are rarely shared
	KeysMax     int     // of one transaction
	Hot         float64 // probability that a key is hot
	Every       uint64  // mean time between two submissions
	Clients     int     // each waits for one request before it makes the next; zero: nobody waits
	Patience    uint64  // mean time until a client without an answer tries another node; zero: it never does

	// The network.
	Delay, Jitter uint64 // of a message: at least, and mean on top
	Slow          float64
	Loss, Double  float64
	Rash          float64 // rate of losing the hint that somebody is at work on a transaction
	Starve        float64 // share of (kind of message, receiver) of which nearly all are lost
	Replay        float64 // rate at which an old message is delivered again, long after

	// The nodes.
	SyncTime, ApplyTime uint64  // mean
	Batch               int     // messages a node takes in at a time, at most
	SlowDisk            float64 // share of nodes
	DiskFail            float64 // of syncs; the node stops
	Crash, Pause        float64
	Bury                float64 // share of crashed nodes that never come back, up to as many as may be lost
	Assassin            float64 // probability that a node crashes soon after it asked or decided something
	Partition, Heal     float64
	Clog                float64 // rate at which a link holds back what is sent on it, for a while
	Downtime            uint64  // mean
	Skew                uint64  // of a clock, at most
	Drift               float64 // of a clock, at most: 0.01 is one per cent
	ClockJump           float64 // rate

	// What is laid down instead of drawn, for runs that vary in one thing only.
	Orders []Order // the workload; Txns and Reads are ignored
	Kills  []Kill  // crashes, besides those drawn

	Core  accord.Config // times and mutations; what identifies a node is filled in
	Loose Mutation
	Blind bool // to the quorums behind decisions: bugs are to be found by what comes of them
}

// Mode is how a run's options were drawn.
type Mode uint8

// The modes.
const (
	ModeSwarm      Mode = iota // by Swarm
	ModeG                      // by SwarmG
	ModeDense                  // by Dense
	ModeElectorate             // by Elected
)

// again returns what has TestSim draw the options in the same way.
func (o Options) again() string {
	return [...]string{"", " -mode G", " -mode dense", " -mode electorate"}[o.Mode]
}

// Policy is how the next step is chosen from all that could happen.
type Policy uint8

// The policies. docs/protocol.md §10.1.
const (
	Timed    Policy = iota // what is due first: as in real life
	Uniform                // any, whatever its time
	Priority               // by random priorities of (transaction, node, direction): finds the deep bugs
)

// String returns the policy's name.
func (p Policy) String() string { return [...]string{"timed", "uniform", "priority"}[p] }

// Swarm draws a run's options: which faults happen, how often, and how crowded it is. Each run has some and
// lacks others, since too many kinds of faults at once hide each other.
func Swarm(seed uint64) Options {
	o := swarm(seed)
	if o.general() {
		o.elect(seed, 3)
	} else {
		o.elect(seed, 12)
	}
	return o
}

// swarm is Swarm without electorates.
func swarm(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed, 1))
	o := Options{
		Nodes:    pick(r, 3, 3, 3, 3, 5, 5, 5, 7, 1, 2, 4, 6),
		Policy:   pick(r, Timed, Uniform, Priority, Priority),
		StepTime: pick[uint64](r, 20, 100, 500, 2000),

		Txns:     pick(r, 2, 3, 5, 8, 20, 20, 40, 40, 150),
		Reads:    pick(r, 0, 0, 2, 10),
		HotKeys:  1 + r.IntN(3),
		ColdKeys: pick(r, 0, 2, 20),
		KeysMax:  1 + r.IntN(3),
		Hot:      pick(r, 0.5, 0.9, 1),
		Every:    pick[uint64](r, 50, 500, 3000, 20000),
		Clients:  pick(r, 0, 1, 3, 10),
		Patience: pick[uint64](r, 0, 1000, 30000, 300000),

		Delay:  pick[uint64](r, 0, 100, 2000),
		Jitter: pick[uint64](r, 10, 300, 5000, 50000),
		Slow:   some(r, 0.5),
		Loss:   some(r, 0.25),
		Double: some(r, 0.15),
		Replay: some(r, 0.05),

		SyncTime:  pick[uint64](r, 10, 1000, 20000),
		ApplyTime: pick[uint64](r, 10, 1000, 20000),
		Batch:     pick(r, 1, 1, 4, 50),
		SlowDisk:  pick(r, 0, 0, 0.3),
		DiskFail:  some(r, 0.02),
		Crash:     some(r, 0.02),
		Bury:      pick(r, 0, 0, 0, 0.3),
		Pause:     some(r, 0.01),
		Partition: some(r, 0.01),
		Clog:      some(r, 0.01),
		Heal:      0.02,
		Downtime:  pick[uint64](r, 1000, 100000, 2000000),
		Skew:      pick[uint64](r, 0, 0, 1000, 200000, 3000000),
		Drift:     some(r, 0.1),
		ClockJump: some(r, 0.005),
	}
	o.Core = swarmCore(r)
	// A proposal leaves when its time is reserved, which takes a sync. If it is late by then every time, requests are
	// answered by luck alone.
	if expire := &o.Core.ExpireAfter; *expire > 0 {
		*expire = max(*expire, 10*o.SyncTime)
	}
	if r.IntN(2) == 0 {
		o.crowd(r)
	}
	if r.IntN(8) == 0 {
		o.FastQuorum = o.Nodes // more than an even number needs
	}
	o.Core.UnackedMax = pick(r, 0, 0, 0, 1, 10)
	o.Core.RecoverMax = pick(r, 0, 0, 1, 4)
	if quorum.FastMin(o.Nodes) < quorum.Fast(o.Nodes) && r.IntN(4) > 0 {
		o.FastQuorum = quorum.FastMin(o.Nodes)
	}
	o.Core.LagBytes = pick(r, 0, 0, 1, 1000)
	return o
}

// SwarmG draws a run in mode G, which 5 and 7 nodes have, and others with an electorate.
func SwarmG(seed uint64) Options {
	o := swarm(seed)
	o.Mode = ModeG
	if o.elect(seed, 3) {
		return o
	}
	if quorum.FastMin(o.Nodes) == quorum.Fast(o.Nodes) {
		o.Nodes = 5
		if seed%8 == 0 {
			o.Nodes = 7
		}
	}
	o.FastQuorum = quorum.FastMin(o.Nodes)
	return o
}

// sizes returns the sizes of quorums in the run.
func (o Options) sizes() sizes {
	s := sizesOf(o.Nodes, o.FastQuorum, o.Electorate)
	s.blind = o.Blind
	return s
}

// general tells whether the run is in mode G.
func (o Options) general() bool { return o.sizes().general }

// crowd makes a run short and dense: few transactions, all on the same keys and at the same time, and nodes so
// impatient that several of them try to decide each. Such runs find the consensus bugs, the others those of
// whatever takes time.
func (o *Options) crowd(r *rand.Rand) {
	ms := accord.Millisecond
	o.Nodes = pick(r, 3, 3, 3, 4, 5, 5, 5, 7)
	o.Policy = pick(r, Uniform, Priority, Priority, Priority)
	o.StepTime = pick[uint64](r, 5, 20, 80)
	o.Delay, o.Jitter = pick[uint64](r, 0, 100), pick[uint64](r, 10, 300)
	o.Txns, o.Reads = 2+r.IntN(4), 0
	o.HotKeys, o.ColdKeys, o.KeysMax, o.Hot = 1+r.IntN(2), 0, 1+r.IntN(2), 1
	o.Every = pick[uint64](r, 10, 100, 1000)
	o.Clients, o.Patience = pick(r, 0, 0, 1, 2), pick[uint64](r, 0, 0, 300, 3000)
	o.SyncTime, o.ApplyTime = pick[uint64](r, 10, 500), 10
	o.Downtime = pick[uint64](r, 300, 3000, 10000)
	o.Loss, o.Starve = some(r, 0.4), some(r, 0.3)
	o.Rash = pick(r, 0, 0.9)
	o.Crash, o.Assassin = pick(r, 0, 0, some(r, 0.02)), pick(r, 0, 0.02, 0.1, 0.3)
	o.Skew, o.ClockJump = pick[uint64](r, 0, 0, 1000, 20000), 0
	o.Core = accord.Config{
		HLCReserve:   pick(r, ms, 20*ms),
		RetryAfter:   pick(r, ms, 5*ms),
		RetryMax:     pick(r, 2*ms, 20*ms),
		FastWaitMin:  pick(r, 0, 1, 2*ms),
		FastWaitMax:  5 * ms,
		SuspectAfter: pick(r, 2*ms, 20*ms),
		FetchAfter:   pick(r, ms/4, 5*ms),
		RecoverAfter: pick(r, ms/4, ms, 3*ms),
		Stagger:      pick(r, 1, ms/2),
		BackoffMax:   pick(r, ms, 20*ms),
		ExpireAfter:  pick(r, 0, 0, ms),
		FenceEvery:   pick(r, 0, ms, 10*ms),
		FenceDelay:   pick(r, 1, ms),
		EraseEvery:   pick(r, 0, ms, 10*ms),
		EraseDelay:   pick(r, 0, 1, ms, 5*ms),
		Retain:       pick(r, 0, ms, 10*ms),
		KeptMax:      pick(r, 0, 1, 3),
	}
}

// swarmCore draws times for the core: mostly its defaults, sometimes hasty ones, so that retries and
// recoveries run into what they retry and recover.
func swarmCore(r *rand.Rand) accord.Config {
	ms := accord.Millisecond
	if r.IntN(3) == 0 {
		return accord.Config{}
	}
	return accord.Config{
		HLCReserve:   pick(r, 0, 10*ms, 900*ms),
		RetryAfter:   pick(r, 0, 2*ms, 10*ms),
		RetryMax:     pick(r, 0, 20*ms, 200*ms),
		FastWaitMin:  pick(r, 0, 1, 20*ms),
		FastWaitMax:  pick(r, 0, 30*ms),
		SuspectAfter: pick(r, 0, 20*ms, 200*ms),
		FetchAfter:   pick(r, 0, 1*ms, 100*ms),
		RecoverAfter: pick(r, 0, 3*ms, 20*ms, 100*ms),
		Stagger:      pick(r, 0, 1, 5*ms),
		BackoffMax:   pick(r, 0, 50*ms, 500*ms),
		ExpireAfter:  pick(r, 0, 0, 10*ms, 300*ms),
		FenceEvery:   pick(r, 0, 2*ms, 10*ms, 200*ms),
		FenceDelay:   pick(r, 0, 1, 5*ms),
		EraseEvery:   pick(r, 0, 5*ms, 50*ms, 500*ms),
		EraseDelay:   pick(r, 0, 1, 10*ms, 300*ms),
		Retain:       pick(r, 0, 10*ms, 300*ms),
		KeptMax:      pick(r, 0, 1, 10),
	}
}

// pick returns one of choices; writing one twice makes it twice as likely.
func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// some returns zero half of the time, else a rate up to most, small ones being more likely.
func some(r *rand.Rand, most float64) float64 {
	if r.IntN(2) == 0 {
		return 0
	}
	x := r.Float64()
	return most * x * x
}

// String returns the options on one line.
func (o Options) String() string {
	return fmt.Sprintf("nodes=%d fast=%d electorate=%v policy=%v txns=%d reads=%d keys=%d+%d crash=%.3g assassin=%.3g starve=%.3g pause=%.3g partition=%.3g loss=%.3g double=%.3g replay=%.3g skew=%d drift=%.3g jump=%.3g",
		o.Nodes, o.FastQuorum, o.Electorate, o.Policy, o.Txns, o.Reads, o.HotKeys, o.ColdKeys, o.Crash, o.Assassin, o.Starve, o.Pause, o.Partition, o.Loss, o.Double, o.Replay, o.Skew, o.Drift, o.ClockJump)
}

// Dense draws a short run in mode G that is all about deciding: a few transactions on one key or two, no disks, no
// crashes, a network that is parted half of the time, and nodes that recover what others are at. It finds the rare
// bugs of mode G soonest.
func Dense(seed uint64) Options {
	o := dense(seed)
	o.elect(seed, 3, denseNodes()...)
	return o
}

// dense is Dense without electorates.
func dense(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed, 3))
	ms := accord.Millisecond
	n := pick(r, 5, 5, 5, 5, 5, 7)
	return Options{
		Nodes: n, FastQuorum: quorum.FastMin(n), Mode: ModeDense,
		Policy: pick(r, Uniform, Priority, Priority, Priority), StepTime: pick[uint64](r, 2, 5, 20),
		Txns: 3 + r.IntN(3), HotKeys: 1 + r.IntN(2), KeysMax: 1 + r.IntN(2), Hot: 1,
		Every: pick[uint64](r, 10, 50, 200),
		Delay: 0, Jitter: 10, Loss: some(r, 0.3), Double: some(r, 0.1), Starve: some(r, 0.4), Rash: 0.9,
		Partition: 0.05, Heal: 0.02,
		SyncTime: 1, ApplyTime: 1, Batch: 1,
		Skew: pick[uint64](r, 0, 100, 500),
		Core: accord.Config{
			RetryAfter: pick(r, ms, 5*ms), RetryMax: 20 * ms,
			FastWaitMin: pick(r, 1, ms/2), FastWaitMax: ms,
			SuspectAfter: pick(r, ms, 20*ms),
			FetchAfter:   ms / 10,
			RecoverAfter: pick(r, ms/10, ms/2, 2*ms), Stagger: pick(r, 1, ms/5),
			BackoffMax: pick(r, ms, 10*ms),
			FenceEvery: pick(r, ms, 5*ms, 0), FenceDelay: 1,
			RecoverMax: pick(r, 0, 0, 1),
		},
	}
}
