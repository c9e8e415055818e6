package client

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"natsaccord/bus"
)

// roster knows which nodes have answered lately, and has only those asked while somebody does not answer. A node that is stopped but
// whose connection is open stays a member of the queue group for minutes, and NATS goes on to give it its share. So after a request in
// vain on the shared subject it is under suspicion: nodes that answer are asked on subjects of their own, by turns. From
// time to time one request goes the shared way, to try it; when several of those in a row are answered all is as before.
// Answers teach all of it: nothing is sent to find out. It may be used concurrently.
type roster struct {
	suspicious atomic.Bool // written under mu

	mu      sync.Mutex // protects what follows
	members []member   // who has answered, in the order of the first time, those that did not answer afterwards left out
	pause   time.Duration
	due     time.Time // when the next request goes the shared way
	trial   uint64    // the last of those requests, from 1 on
	row     int       // how many of them in a row were answered
}

// member is a node, and when it last answered.
type member struct {
	name  string
	heard time.Time
}

const (
	trialPause = time.Second // from a suspicion to the first trial; twice as long after each one in vain
	mostPause  = 30 * time.Second
	// trialsInRow is how many are answered before suspicion ends. Of three nodes with one that is silent, 8 in a row are answered
	// once in 26 times, and then a request in vain brings the suspicion back.
	trialsInRow = 8
	// turn is how long one member is asked before the next. Appends that are made at the same time share a message only if they go to the same.
	turn = 10 * time.Millisecond
	// mostMembers bounds what is remembered of a cluster whose nodes change their names.
	mostMembers = 64
)

// way is where a request went.
type way struct {
	at    time.Time // when
	node  string    // whose own subject it is; empty: the shared one
	trial uint64    // of the shared way, while it is under suspicion
	home  string    // the node, if it is a stream's home
	hint  bool      // any other node would have done as well
	fixed bool      // it could go nowhere else, and tells nothing
}

// choose returns which way a request goes now.
func (r *roster) choose(now time.Time) way {
	w := way{at: now}
	if !r.suspicious.Load() {
		return w
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !now.Before(r.due):
		r.trial++
		w.trial, r.due = r.trial, now.Add(r.pause) // by then it has been answered or given up, or else the next one may go
	case len(r.members) > 0:
		w.hint, w.node = true, r.members[now.UnixNano()/int64(turn)%int64(len(r.members))].name
	}
	return w
}

// answered takes note of who answered; empty: it is not known.
func (r *roster) answered(w way, node string, now time.Time) {
	if w.node != "" {
		node = w.node
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hear(node, now)
	if w.trial == 0 || w.trial != r.trial || !r.suspicious.Load() {
		return
	}
	r.due = now
	if r.row++; r.row == trialsInRow {
		r.suspicious.Store(false)
	}
}

// hear notes that a node is there. r.mu is held.
func (r *roster) hear(node string, now time.Time) {
	i := slices.IndexFunc(r.members, func(m member) bool { return m.name == node })
	switch {
	case i >= 0:
		r.members[i].heard = now
	case len(r.members) < mostMembers && bus.ValidateName("node", node) == nil:
		r.members = append(r.members, member{node, now})
	}
}

// unanswered takes note of a request in vain.
func (r *roster) unanswered(w way, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leave(func(m member) bool { return m.name == w.node && m.heard.Before(w.at) })
	switch {
	case w.node != "" && !w.hint: // a near node, which is left alone for a while
	case !r.suspicious.Load():
		r.suspect(w, now)
	case w.trial > 0 && w.trial == r.trial:
		r.row, r.pause = 0, min(2*r.pause, mostPause)
		r.due = now.Add(r.pause)
	}
}

// suspect has members asked in place of all: those that answered while the request was waited for, unless nobody did. Only the later half of
// the wait counts, since whoever falls silent with a request before it may have answered others just before that. r.mu is held.
func (r *roster) suspect(w way, now time.Time) {
	r.row, r.pause = 0, trialPause
	r.due = now.Add(r.pause)
	r.suspicious.Store(true)
	half := w.at.Add(now.Sub(w.at) / 2)
	answers := func(m member) bool { return m.heard.After(half) }
	if slices.ContainsFunc(r.members, answers) {
		r.leave(func(m member) bool { return !answers(m) })
	}
}

// refused takes note of a node that was asked on its own subject, and does not serve or is not there.
func (r *roster) refused(w way) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leave(func(m member) bool { return m.name == w.node })
}

// leave has members asked no more until they have answered on the shared subject. r.mu is held.
func (r *roster) leave(who func(member) bool) { r.members = slices.DeleteFunc(r.members, who) }
