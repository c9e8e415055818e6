package tests

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"natsaccord/bus"
	"natsaccord/embeddednats"
	"natsaccord/event"
)

// TestLiveEventsInJetStream binds a stream to the live events of three processes and kills whichever publishes,
// again and again, while clients append. The stream ends up with exactly the log: every event once, and those of
// each accord stream in order.
func TestLiveEventsInJetStream(t *testing.T) {
	c := startOn(t, sqliteStores(t), embeddednats.Config{Port: embeddednats.AnyPort, JetStream: true, StoreDir: t.TempDir()})
	js, err := jetstream.New(c.nc)
	if err != nil {
		t.Fatal(err)
	}
	subjects := bus.Subjects{Cluster: "any"}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{subjects.Events()}, Duplicates: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for w := range 6 {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := event.StreamOf("file", fmt.Sprintf("%s%d", []string{"", ".", "a..", "a%"}[i%4], (w+i)%5))
				a := event.Append{RequestID: fmt.Sprintf("%d-%d", w, i), Events: []event.Event{{Stream: name, Type: "File.Changed", Data: fmt.Appendf(nil, `{"w":%d,"i":%d}`, w, i)}}}
				for ctx.Err() == nil {
					if _, err := c.client.Append(ctx, a); err == nil {
						break
					}
				}
			}
		})
	}
	for range 4 {
		c.publishes(t, stream, 300)
		i := c.publisher(t)
		c.signal(i, syscall.SIGKILL)
		c.publishes(t, stream, 100) // by another one
		c.startNode(i)
		c.await(i)
	}
	stop()
	writing.Wait()
	c.run("verify", "--wait", "60s")
	c.sameAsLog(t, stream, subjects)
}

// publisher returns which node publishes live events.
func (c *cluster) publisher(t *testing.T) int {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		for i := range c.nodes {
			if s, err := c.client.Status(t.Context(), fmt.Sprintf("n%d", i+1)); err == nil && s.Publishing {
				return i
			}
		}
	}
	t.Fatal("no node publishes")
	return 0
}

// publishes waits until the stream has so many messages more.
func (c *cluster) publishes(t *testing.T, stream jetstream.Stream, more uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	goal := uint64(0)
	for {
		info, err := stream.Info(ctx)
		if err != nil {
			t.Fatalf("wait for %d messages more: %v", more, err)
		}
		if goal == 0 {
			goal = info.State.Msgs + more
		}
		if info.State.Msgs >= goal {
			return
		}
		<-ticker.C
	}
}

// sameAsLog waits until a stream holds as many messages as the log events, and compares them. Then it damages the stream, and
// the comparison must tell.
func (c *cluster) sameAsLog(t *testing.T, stream jetstream.Stream, subjects bus.Subjects) {
	t.Helper()
	var log []event.Event
	for e, err := range c.client.Events(t.Context(), event.ReadArgs{Consistency: event.Linearizable, Limit: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, e)
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if info, err := stream.Info(t.Context()); err != nil || info.State.Msgs >= uint64(len(log)) {
			break
		}
	}
	if err := compare(t.Context(), log, stream, subjects); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events, each once and in order", len(log))
	lost, err := stream.GetMsg(t.Context(), uint64(len(log)/2))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), lost.Sequence); err != nil {
		t.Fatal(err)
	}
	if compare(t.Context(), log, stream, subjects) == nil {
		t.Error("nobody noticed that a message is missing")
	}
	again := &nats.Msg{Subject: lost.Subject, Data: lost.Data, Header: lost.Header}
	again.Header.Set(nats.MsgIdHdr, "again") // or it would be taken for a repeat
	if _, err := c.nc.RequestMsgWithContext(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if compare(t.Context(), log, stream, subjects) == nil {
		t.Error("nobody noticed that a message comes last")
	}
}

// compare tells where what a stream holds is not the log.
func compare(ctx context.Context, log []event.Event, stream jetstream.Stream, subjects bus.Subjects) error {
	info, err := stream.Info(ctx)
	if err != nil {
		return err
	}
	if n := info.State.Msgs; n != uint64(len(log)) {
		return fmt.Errorf("the stream holds %d messages, the log %d events", n, len(log))
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	batch, err := consumer.Fetch(len(log), jetstream.FetchMaxWait(30*time.Second))
	if err != nil {
		return err
	}
	i := 0
	var differs error
	for msg := range batch.Messages() {
		e := &log[i]
		name, eventType, ok := subjects.ParseEvent(msg.Subject())
		h := msg.Headers()
		if differs == nil && (!ok || name != e.Stream || eventType != e.Type || h.Get(nats.MsgIdHdr) != e.ID.String() || h.Get("ce-sequence") != string(e.Position) || string(msg.Data()) != string(e.Data)) {
			differs = fmt.Errorf("message %d on %s with %v is not the event at %s", i, msg.Subject(), h, e.Position)
		}
		i++
	}
	if differs == nil && i != len(log) {
		differs = fmt.Errorf("got %d messages of %d", i, len(log))
	}
	return differs
}
