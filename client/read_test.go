package client_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/oklog/ulid/v2"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
)

// fill appends n events to a stream and returns them as they stand.
func fill(t *testing.T, c *client.Client, stream event.Stream, n int) []event.Event {
	t.Helper()
	for range n {
		if _, err := c.Append(t.Context(), opened(stream)); err != nil {
			t.Fatal(err)
		}
	}
	page, err := c.Read(t.Context(), event.ReadArgs{Stream: stream, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return page.Events
}

func positions(events []event.Event) []event.Position {
	var found []event.Position
	for i := range events {
		found = append(found, events[i].Position)
	}
	return found
}

func TestEventsPageOn(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{TryTimeout: short})
	want := fill(t, c, "account.7", 10)
	backward := slices.Clone(want)
	slices.Reverse(backward)
	for _, args := range []event.ReadArgs{
		{Stream: "account.7", Limit: 3}, {Category: "account", Limit: 3}, {Limit: 5}, {}, {Stream: "account.7", Limit: 3, Backward: true},
	} {
		f.mu.Lock()
		f.faults = []fault{works, lostRequest, fails(event.ErrNoQuorum)}
		f.mu.Unlock()
		var got []event.Event
		for e, err := range c.Events(t.Context(), args) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if args.Backward {
			slices.Reverse(got)
		}
		if !slices.Equal(positions(got), positions(want)) {
			t.Errorf("%+v: got %d events, want %d", args, len(got), len(want))
		}
	}
	for e, err := range c.Events(t.Context(), event.ReadArgs{Limit: 3}) {
		if err != nil || e.Position != want[0].Position {
			t.Errorf("got %+v, %v", e, err)
		}
		break
	}
	calls := 0
	for _, err := range c.Events(t.Context(), event.ReadArgs{FromVersion: 1}) {
		if _, ok := errors.AsType[*event.InvalidError](err); !ok {
			t.Errorf("got %v", err)
		}
		calls++
	}
	if calls != 1 {
		t.Errorf("an error was yielded %d times", calls)
	}
}

// TestFollow has a writer write while a reader follows, and everything go wrong meanwhile.
func TestFollow(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{TryTimeout: short, Tries: 1})
	old := fill(t, c, "account.7", 3)
	f.mu.Lock()
	f.faults = []fault{works, fails(event.ErrNoQuorum), lostRequest, fails(errors.New("disk on fire"))}
	f.mu.Unlock()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []event.Event
	failures := 0
	for e, err := range c.Follow(ctx, event.ReadArgs{Category: "account", Limit: 2, After: old[0].Position, Wait: time.Millisecond}) {
		if err != nil {
			if failures++; failures == 3 {
				if _, err := f.Memory.Append(t.Context(), opened("account.8")); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		if got = append(got, e); e.Stream == "account.8" {
			cancel()
		}
	}
	if failures != 3 || len(got) != 3 || got[0].Position != old[1].Position || got[1].Position != old[2].Position {
		t.Errorf("got %d events at %v and %d errors, want 3 behind %s and 3", len(got), positions(got), failures, old[0].Position)
	}
}

// TestFollowWaits wants an event to arrive without being asked for again.
func TestFollowWaits(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	asked := make(chan struct{})
	f.faults = []fault{func(_ *faulty, do func() error) error {
		close(asked)
		return do()
	}}
	go func() {
		<-asked
		_, _ = f.Memory.Append(context.Background(), opened("account.7"))
	}()
	for e, err := range w.client(t, client.Options{}).Follow(t.Context(), event.ReadArgs{}) {
		if err != nil || e.Stream != "account.7" {
			t.Errorf("got %+v, %v", e, err)
		}
		break
	}
	if f.called() != 1 {
		t.Errorf("asked %d times, want once", f.called())
	}
}

func TestFollowEnds(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", newBackend())
	c := w.client(t, client.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	for e, err := range c.Follow(ctx, event.ReadArgs{}) {
		t.Errorf("when its context ended: got %+v, %v", e, err)
	}
	for name, args := range map[string]event.ReadArgs{"backward": {Backward: true}, "local": {Category: "account", Consistency: event.Local}, "invalid": {Category: "a b"}} {
		yielded := 0
		for _, err := range c.Follow(t.Context(), args) {
			if _, ok := errors.AsType[*event.InvalidError](err); !ok {
				t.Errorf("%s: got %v", name, err)
			}
			yielded++
		}
		if yielded != 1 {
			t.Errorf("%s: yielded %d times", name, yielded)
		}
	}
}

func TestReadsAreRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		faults []fault
		calls  int
		ok     bool
	}{
		"lost":          {[]fault{lostRequest, lostReply}, 3, true},
		"no quorum":     {[]fault{fails(event.ErrNoQuorum)}, 2, true},
		"a slow node":   {[]fault{fails(context.DeadlineExceeded)}, 2, true},
		"a broken node": {[]fault{fails(errors.New("disk on fire"))}, 2, true},
		"invalid":       {[]fault{fails(&event.InvalidError{Field: "x"})}, 1, false},
		"not found":     {[]fault{fails(event.ErrNotFound)}, 1, false},
		"for ever lost": {[]fault{lostRequest, lostRequest, lostRequest}, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := w.serveFaulty(t, c.faults...)
			_, err := w.client(t, client.Options{TryTimeout: short, Tries: 3}).Read(t.Context(), event.ReadArgs{})
			if (err == nil) != c.ok || f.called() != c.calls {
				t.Errorf("got %v after %d calls, want %d", err, f.called(), c.calls)
			}
			if _, unknown := errors.AsType[*event.UnknownError](err); unknown {
				t.Errorf("a read says that it may still commit: %v", err)
			}
		})
	}
}

// TestReadSaysWhyItTriedAgain: a read whose time is up in the midst of a try tells what the node said before.
func TestReadSaysWhyItTriedAgain(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.serveFaulty(t, fails(event.ErrDiverged), func(f *faulty, do func() error) error {
		cancel()
		return lostRequest(f, do)
	})
	_, err := w.client(t, client.Options{Tries: 3}).Read(ctx, event.ReadArgs{})
	if !errors.Is(err, event.ErrDiverged) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want both that it was canceled and that the node's log is damaged", err)
	}
}

// TestCommandsAreRepeatedOnlyIfNothingHappened: what has no request id must not happen twice.
func TestCommandsAreRepeatedOnlyIfNothingHappened(t *testing.T) {
	for name, c := range map[string]struct {
		faults  []fault
		calls   int
		unknown bool
	}{
		"no quorum":          {[]fault{fails(event.ErrNoQuorum), fails(event.ErrDraining)}, 3, false},
		"a lost reply":       {[]fault{lostReply}, 1, true},
		"no quorum, then so": {[]fault{fails(event.ErrNoQuorum), lostReply}, 2, true},
		"a broken node":      {[]fault{fails(errors.New("disk on fire"))}, 1, true},
	} {
		for what, do := range map[string]func(context.Context, *client.Client) error{
			"claim": func(ctx context.Context, c *client.Client) error { return c.UpsertSubscriber(ctx, "k", ulid.Make()) },
			"put": func(ctx context.Context, c *client.Client) error {
				return c.PutSnapshot(ctx, event.Snapshot{Stream: "account.7", Name: "n"})
			},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				w := newWorld(t)
				f := w.serveFaulty(t, c.faults...)
				err := do(t.Context(), w.client(t, client.Options{Timeout: 5 * short}))
				if unknown, ok := errors.AsType[*event.UnknownError](err); ok != c.unknown || ok && unknown.RequestID != "" || !ok && err != nil {
					t.Errorf("got %v, want unknown to be %v", err, c.unknown)
				}
				if f.called() != c.calls {
					t.Errorf("asked %d times, want %d", f.called(), c.calls)
				}
			})
		}
	}
}

// TestStreamsThatNoSubjectHolds go in the body.
func TestStreamsThatNoSubjectHolds(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", newBackend())
	for _, node := range []string{"", "n1"} {
		c := w.client(t, client.Options{Node: node})
		for _, stream := range []event.Stream{"file..travis.yml", "file.a..b", "file.dir."} {
			events := fill(t, c, stream, 1)
			head, err := c.Head(t.Context(), stream)
			if last := events[len(events)-1]; err != nil || head != (event.Head{Version: last.Version, Position: last.Position}) || last.Stream != stream {
				t.Errorf("%s: got %+v, %v, want the head of %+v", stream, head, err, last)
			}
		}
	}
	if _, err := w.client(t, client.Options{}).Head(t.Context(), "nothing"); err == nil {
		t.Error("the head of no stream is known")
	}
}

// TestRepliesAreChecked has somebody else answer.
func TestRepliesAreChecked(t *testing.T) {
	w := newWorld(t)
	replies := make(chan *nats.Msg, 1)
	sub, err := w.nc.Subscribe("accord.v1.>", func(m *nats.Msg) {
		reply := <-replies
		reply.Subject = m.Reply
		_ = m.RespondMsg(reply)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	c := w.client(t, client.Options{Tries: 1})
	failed := nats.Header{micro.ErrorCodeHeader: []string{"500"}, micro.ErrorHeader: []string{"x"}}
	for name, reply := range map[string]*nats.Msg{
		"nothing":                {},
		"no JSON":                {Data: []byte("{")},
		"another type":           {Data: []byte(`{"type":"accord.v1.head_reply","version":1}`)},
		"no type":                {Data: []byte(`{}`)},
		"an error without body":  {Header: failed},
		"an error of other kind": {Header: failed, Data: []byte(`{"type":"other"}`)},
		"a bad id":               {Data: []byte(`{"type":"accord.v1.read_reply","events":[{"id":"x"}]}`)},
		"a bad receipt":          {Data: []byte(`{"type":"accord.v1.append_reply","events":[{"id":"x"}]}`)},
	} {
		replies <- reply
		if page, err := c.Read(t.Context(), event.ReadArgs{}); err == nil {
			t.Errorf("%s: read %+v", name, page)
		}
		replies <- reply
		receipt, err := c.Append(t.Context(), opened("account.7"))
		if _, unknown := errors.AsType[*event.UnknownError](err); !unknown {
			t.Errorf("%s: appended %+v, %v, want not to know", name, receipt, err)
		}
	}
}

func TestStatusOfNodes(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", newBackend())
	c := w.client(t, client.Options{})
	for name, ask := range map[string]func(context.Context) (event.NodeStatus, error){
		"any":   func(ctx context.Context) (event.NodeStatus, error) { return c.Status(ctx, "") },
		"one":   func(ctx context.Context) (event.NodeStatus, error) { return c.Status(ctx, "n1") },
		"drain": func(ctx context.Context) (event.NodeStatus, error) { return c.Drain(ctx, "n1") },
	} {
		if status, err := ask(t.Context()); err != nil || status.Name != "memory" {
			t.Errorf("%s: got %+v, %v", name, status, err)
		}
	}
	if nodes, err := c.Nodes(t.Context()); err != nil || !slices.Equal(nodes, []string{"memory"}) {
		t.Errorf("got the nodes %q, %v", nodes, err)
	}
	if _, err := c.Status(t.Context(), "n2"); !errors.Is(err, event.ErrNoQuorum) {
		t.Errorf("a node that is down: got %v", err)
	}
	if _, err := c.Status(t.Context(), "a.b"); err == nil {
		t.Error("a name that is none has a status")
	}
	if _, err := c.Drain(t.Context(), "*"); err == nil {
		t.Error("all nodes can be drained at once")
	}
}

func TestNewRefuses(t *testing.T) {
	w := newWorld(t)
	for _, options := range []client.Options{
		{Prefix: "a b"}, {Prefix: "a.>"}, {Node: "a.b"}, {Timeout: -1}, {TryTimeout: -1}, {Tries: -1},
	} {
		if _, err := client.New(w.nc, options); err == nil {
			t.Errorf("%+v is taken", options)
		}
	}
	if _, err := client.New(nil, client.Options{}); err == nil {
		t.Error("no connection is taken")
	}
	if _, err := w.client(t, client.Options{}).At("a b"); err == nil {
		t.Error("a node that cannot be is taken")
	}
}

func TestPrefix(t *testing.T) {
	w := newWorld(t)
	nc := w.connect(t)
	service, err := bus.NewService(nc, bus.ServiceConfig{Subjects: bus.Subjects{Prefix: "my.events", Cluster: "test"}, Node: "n1"}, newBackend())
	if err != nil {
		t.Fatal(err)
	}
	defer service.Stop()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := fill(t, w.client(t, client.Options{Prefix: "my.events"}), "account.7", 2); len(got) != 2 {
		t.Errorf("got %d events", len(got))
	}
	if _, err := w.client(t, client.Options{Tries: 1}).Head(t.Context(), "account.7"); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("on the default prefix: got %v", err)
	}
}

// BenchmarkAppend shows what the client and the service cost on top of a store that costs little.
func BenchmarkAppend(b *testing.B) {
	nc, end := connected()
	defer end()
	c, err := client.New(nc, client.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Append(context.Background(), opened("account.7")); err != nil {
			b.Fatal(err)
		}
	}
}
