package digest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/digest"
	"natsaccord/event"
)

// TestSameLogsAgree: however the frontiers got there, the same events have the same digest, and nobody is alarmed.
// When nothing is written, hardly anything is said.
func TestSameLogsAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.start()
		for n := 5; n < 200; n += 13 {
			w.write(n)
			<-time.After(1500 * time.Millisecond)
			first := w.nodes[0].digester.Status().End
			if first.To != uint64(n) || first.Position != position(n) {
				t.Fatalf("after %d events: got %+v", n, first)
			}
			for _, s := range w.nodes[1:] {
				if end := s.digester.Status().End; end != first {
					t.Errorf("%s: got %+v, want %+v", s.name, end, first)
				}
			}
		}
		<-time.After(time.Minute)
		told := w.nodes[0].told.Load()
		<-time.After(10 * time.Minute)
		if more := w.nodes[0].told.Load() - told; more < 8 || more > 12 {
			t.Errorf("told the others %d times in ten minutes in which nothing happened, want once a minute", more)
		}
		for _, s := range w.nodes {
			s.wants(false)
			if s.alarms.Load() > 0 || s.digester.Status().Passes < 20 {
				t.Errorf("%s: %d alarms in %d passes", s.name, s.alarms.Load(), s.digester.Status().Passes)
			}
		}
		w.end()
	})
}

// TestDamageIsFound changes one event of one node's log after it was hashed. The node itself finds it, to the event,
// in the time of a pass, and stops trusting itself; the others have nothing to say. When it is repaired all is well.
func TestDamageIsFound(t *testing.T) {
	const n = 100
	for _, i := range []int{0, 15, 16, 50, 98, 99} {
		for name, change := range changes(i) {
			t.Run(fmt.Sprint(name, " of ", i), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 3)
					w.start()
					w.write(n)
					<-time.After(20 * time.Second)
					s := w.nodes[1]
					good := s.log
					s.damage(change)
					<-time.After(25 * time.Second)
					at := string(position(i + 1))
					switch {
					case name == "inserted" && i == n-1:
						at = "somewhere up to " + at[:27] + "1" // behind the end of all logs
					case name == "inserted":
						at = "at " + at[:27] + "1"
					default:
						at = "at " + at
					}
					s.wants(true, "has changed "+at)
					w.nodes[0].wants(false)
					w.nodes[2].wants(false)
					s.damage(func([]event.Event) []event.Event { return good })
					<-time.After(25 * time.Second)
					s.wants(false)
					w.end()
				})
			})
		}
	}
}

// TestUnreadableEventIsFound: an event that cannot be read any more, or could not be from the start, is found too.
func TestUnreadableEventIsFound(t *testing.T) {
	for _, late := range []bool{false, true} {
		for _, i := range []int{0, 15, 16, 50, 99} {
			t.Run(fmt.Sprint(i, " late ", late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 3)
					s := w.nodes[1]
					if !late {
						s.garble(position(i + 1))
					}
					w.start()
					w.write(100)
					<-time.After(20 * time.Second)
					s.garble(position(i + 1))
					<-time.After(25 * time.Second)
					s.wants(true, fmt.Sprintf("at %s, behind %d events", position(i+1), i))
					w.nodes[0].wants(false)
					s.garble("")
					<-time.After(25 * time.Second)
					s.wants(false)
					if end := s.digester.Status().End; end.To != 100 {
						t.Errorf("hashed %d events, want 100", end.To)
					}
					w.end()
				})
			})
		}
	}
}

// TestDamageIsFoundWithinAMinute: with nothing tuned, and a log of a quarter of a million events.
func TestDamageIsFoundWithinAMinute(t *testing.T) {
	for _, n := range []int{1000, 60_000, 250_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.tuning = digest.Config{}
				s := w.nodes[0]
				w.write(n)
				w.start()
				for s.digester.Status().Passes == 0 { // it has just been read: nothing is further off than the last event
					<-time.After(time.Second)
				}
				s.damage(changes(n - 1)["data"])
				<-time.After(time.Minute)
				s.wants(true, "has changed")
				w.end()
			})
		})
	}
}

// TestDamageIsFoundAlone: with nobody to compare with, at least the stretch is known.
func TestDamageIsFoundAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.start()
		w.write(100)
		<-time.After(20 * time.Second)
		w.nodes[1].deaf, w.nodes[2].deaf = true, true
		w.nodes[0].damage(changes(20)["data"])
		<-time.After(25 * time.Second)
		w.nodes[0].wants(true, "has changed somewhere up to "+string(position(32)))
		w.end()
	})
}

// TestDifferenceIsFound lets one node have another event than the others from the start. All see it, to the event; only
// that node, which has a majority against it, stops trusting itself.
func TestDifferenceIsFound(t *testing.T) {
	const n = 150
	for _, nodes := range []int{2, 3, 5} {
		for _, i := range []int{0, 31, 32, 140, 149} {
			t.Run(fmt.Sprint(nodes, " nodes at ", i), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, nodes)
					w.write(n)
					w.nodes[1].damage(changes(i)["data"])
					w.start()
					<-time.After(30 * time.Second)
					for _, s := range w.nodes {
						switch {
						case s == w.nodes[1] && nodes > 2:
							s.wants(true, "differs from that of n1 at "+string(position(i+1)), "differs from that of n3 at "+string(position(i+1)))
						case s == w.nodes[1]:
							s.wants(true, "differs from that of n1 at "+string(position(i+1)))
						default:
							s.wants(nodes == 2, "differs from that of n2 at "+string(position(i+1)))
						}
					}
					// The others go on to agree, and to say so.
					w.write(n + 50)
					<-time.After(30 * time.Second)
					w.nodes[0].wants(nodes == 2, "differs from that of n2")
					w.end()
				})
			})
		}
	}
}

// TestRestart: a node goes on hashing from its last mark, and comes to the same.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.start()
		w.write(100)
		<-time.After(10 * time.Second)
		s := w.nodes[0]
		want := s.digester.Status().End
		s.stop()
		<-s.ended
		s.start()
		<-time.After(10 * time.Second)
		if got := s.digester.Status(); got.End != want || got.Hashed != 100%16 {
			t.Errorf("got %+v, want %+v and only what is behind the last mark hashed again", got, want)
		}
		w.write(120)
		<-time.After(10 * time.Second)
		if a, b := s.digester.Status().End, w.nodes[1].digester.Status().End; a != b || a.To != 120 {
			t.Errorf("got %+v and %+v", a, b)
		}
		w.end()
	})
}

// TestBadMarkIsFound: a mark that was changed does not pass either.
func TestBadMarkIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.start()
		w.write(100)
		<-time.After(20 * time.Second)
		w.nodes[0].mu.Lock()
		w.nodes[0].marks[2].Sum = w.nodes[0].marks[1].Sum
		w.nodes[0].mu.Unlock()
		<-time.After(25 * time.Second)
		w.nodes[0].wants(true, "has changed somewhere up to "+string(position(48)))
		w.end()
	})
}

func TestQuestionsAreChecked(t *testing.T) {
	w := newWorld(t, 2)
	w.write(40)
	w.start()
	defer w.end()
	d := w.nodes[0].digester
	for d.Status().End.To != 40 {
		<-time.After(time.Millisecond)
	}
	for _, question := range []string{"", "digest", "digest ", "digest {", "digests {}", `digest {"From":5,"To":4}`, `digest {"To":41}`, `digest {"From":1,"To":2,"Stored":true}`, `digest {"From":-1}`} {
		if answer, err := d.Answer(t.Context(), []byte(question)); err == nil {
			t.Errorf("%q: answered %s", question, answer)
		}
	}
	if answer, err := d.Answer(t.Context(), []byte(`digest {"To":40,"Stored":true}`)); err != nil {
		t.Errorf("got %s, %v", answer, err)
	}
	before, _ := w.nodes[0].says()
	for from, note := range map[string]string{"n2": "{", "n3": `{"events":40,"position":"x","sum":""}`, "n1": "null"} {
		d.Hear(from, []byte(note))
	}
	d.Hear("n2", []byte(`{"events":40,"position":"x","sum":"zz"}`))
	d.Hear("n2", []byte(`{"events":0}`))
	if after, _ := w.nodes[0].says(); after != before {
		t.Errorf("alarmed by nothing: %s", after)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []digest.Config{
		{}, {Self: "n1", Nodes: []string{"n2"}}, {Self: "n1", Nodes: []string{"n1"}, MarkEvery: -1}, {Self: "n1", Nodes: []string{"n1"}, MarkEvery: 1001},
		{Self: "n1", Nodes: []string{"n1"}, Pace: -1}, {Self: "n1", Nodes: []string{"n1"}, ScrubRate: -1},
	} {
		if _, err := digest.New(cfg, nil, nil, nil, nil); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
