package client

// These tests are inside the package for a clock of their own.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"natsaccord/event"
)

// newAtlas returns homes at a time that goes on when the test has it go on.
func newAtlas(options Options) (h *homes, pass func(time.Duration)) {
	now := time.Unix(1_000_000, 0)
	c := &Client{options: options.withDefaults()}
	c.subjects.Prefix = "p"
	h = newHomes(c)
	h.now = func() time.Time { return now }
	return h, func(d time.Duration) { now = now.Add(d) }
}

// lost is what a writer hears who lost a stream at which a node is at home.
func lost(stream event.Stream, node string) error {
	return fmt.Errorf("wrapped: %w", &event.ConflictError{Conflict: event.Conflict{Stream: stream}, Node: node})
}

// wanting demands versions of streams.
func wanting(streams ...event.Stream) *event.Append {
	a := &event.Append{Events: []event.Event{{Stream: "a.other"}}}
	for _, stream := range streams {
		a.Conditions = append(a.Conditions, event.Condition{Stream: stream, Expect: 3})
	}
	return a
}

// check compares the home of an append with the node that is wanted, none if that is empty.
func check(t *testing.T, h *homes, a *event.Append, want string) {
	t.Helper()
	at, found := h.find(a)
	if at.node != want || found != (want != "") {
		t.Errorf("got %q, %v, want %q", at.node, found, want)
	}
	if found && at.to != (target{"p.v1.node." + want + ".append", "p.v1.node." + want + ".appends"}) {
		t.Errorf("at %s it is asked on %+v", want, at.to)
	}
}

func TestHomeIsOfWhatDemandsAVersion(t *testing.T) {
	h, _ := newAtlas(Options{})
	check(t, h, wanting("a.1"), "")
	h.learn("", 0, lost("a.1", "n2"))
	h.learn("", 0, lost("a.2", "n3"))
	check(t, h, wanting("a.1"), "n2")
	check(t, h, wanting("a.0", "a.2", "a.1"), "n3")
	check(t, h, wanting("a.0"), "")
	for _, x := range []event.Expect{event.ExpectAny, event.ExpectExists} {
		check(t, h, &event.Append{Conditions: []event.Condition{{Stream: "a.1", Expect: x}}, Events: []event.Event{{Stream: "a.1"}}}, "")
	}
	check(t, h, &event.Append{Conditions: []event.Condition{{Stream: "a.1", Expect: event.ExpectNone}}}, "n2")
	check(t, h, &event.Append{Events: []event.Event{{Stream: "a.1"}, {Stream: "a.2", Version: 4}}}, "n3")
	h.learn("n2", 0, lost("a.1", "n1"))
	check(t, h, wanting("a.1"), "n1")
}

func TestHomeIsKeptForAWhile(t *testing.T) {
	h, pass := newAtlas(Options{})
	h.learn("", 0, lost("a.1", "n2"))
	pass(homeLasts - 1)
	check(t, h, wanting("a.1"), "n2")
	h.learn("n2", 0, nil) // no conflict
	pass(1)
	check(t, h, wanting("a.1"), "")
	h.learn("", 0, lost("a.1", "n2"))
	pass(homeLasts - 1)
	h.learn("n2", 0, lost("a.1", "n2"))
	pass(homeLasts - 1)
	check(t, h, wanting("a.1"), "n2")
}

func TestWhatIsNoNameIsNoHome(t *testing.T) {
	h, _ := newAtlas(Options{})
	for _, node := range []string{"", "a.b", ">", "n 2"} {
		h.learn("", 0, lost("a.1", node))
		check(t, h, wanting("a.1"), "")
	}
}

func TestWhoAsksACertainNodeHasNoHomes(t *testing.T) {
	for _, options := range []Options{{Node: "n1"}, {Near: "n1"}} {
		h, _ := newAtlas(options)
		h.learn("", 0, lost("a.1", "n2"))
		check(t, h, wanting("a.1"), "")
	}
}

func TestHomesAreBounded(t *testing.T) {
	h, _ := newAtlas(Options{})
	name := func(i int) event.Stream { return event.Stream(fmt.Sprint("a.", i)) }
	const many = 5 * mostHomes
	for i := range many {
		h.learn("", 0, lost(name(i), "n2"))
		h.learn("", 0, lost("a.hot", "n1"))
		if n := len(h.young) + len(h.old); n > 2*mostHomes {
			t.Fatalf("%d are kept", n)
		}
	}
	check(t, h, wanting("a.hot"), "n1")
	for i := many - mostHomes + 1; i < many; i++ {
		check(t, h, wanting(name(i)), "n2")
	}
	check(t, h, wanting(name(0)), "")
}

func TestNodeThatDoesNotServeIsNobodysHome(t *testing.T) {
	const took = 3 * time.Second
	for name, c := range map[string]struct {
		err   error
		node  string        // where the append was made
		kept  bool          // as a home
		pause time.Duration // in which nobody is at home
	}{
		"no responders":    {errUnreachable("p"), "n2", false, 0},
		"draining":         {event.ErrDraining, "n2", false, 0},
		"no quorum":        {event.ErrNoQuorum, "n2", false, 0},
		"damaged":          {event.ErrDiverged, "n2", false, 0},
		"busy":             {&event.OverloadedError{}, "n2", false, 0},
		"unknown":          {&event.UnknownError{}, "n2", false, awayTimes * took},
		"silent":           {context.DeadlineExceeded, "n2", false, awayTimes * took},
		"given up":         {context.Canceled, "n2", true, 0},
		"refused":          {&event.InvalidError{}, "n2", true, 0},
		"another":          {event.ErrDraining, "n3", true, 0},
		"any":              {event.ErrDraining, "", true, 0},
		"any that is dumb": {context.DeadlineExceeded, "", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, pass := newAtlas(Options{})
			for i := range 3 * mostHomes / 2 {
				h.learn("", 0, lost(event.Stream(fmt.Sprint("a.", i)), "n2"))
			}
			h.learn("", 0, lost("b.1", "n1"))
			h.learn(c.node, took, fmt.Errorf("wrapped: %w", c.err))
			check(t, h, wanting("a.0"), map[bool]string{true: "n2"}[c.kept])
			check(t, h, wanting(event.Stream(fmt.Sprint("a.", mostHomes))), map[bool]string{true: "n2"}[c.kept])
			check(t, h, wanting("b.1"), map[bool]string{true: "n1"}[c.pause == 0])
			if c.pause > 0 {
				pass(c.pause - 1)
				h.learn("", 0, lost("b.1", "n1"))
				check(t, h, wanting("b.1"), "")
				pass(1)
				check(t, h, wanting("b.1"), "n1")
			}
		})
	}
}

// TestHomesAreShared has many use the homes at the same time, for the race detector.
func TestHomesAreShared(t *testing.T) {
	h, _ := newAtlas(Options{})
	done := make(chan bool)
	for k := range 4 {
		go func() {
			defer func() { done <- true }()
			for i := range 500 {
				stream := event.Stream(fmt.Sprint("a.", i%7))
				h.learn("", 0, lost(stream, fmt.Sprint("n", k)))
				h.find(wanting(stream))
				h.learn(fmt.Sprint("n", i%4), 0, errors.Join(event.ErrDraining))
			}
		}()
	}
	for range 4 {
		<-done
	}
}
