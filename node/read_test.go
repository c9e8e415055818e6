package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// TestReadOutlivesAnOutage: a linearizable read that begins while too few nodes answer is answered when they are back, for as long
// as its caller waits, though the Machine has dropped it meanwhile.
func TestReadOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nodetest.New(t, 3)
		if _, err := c.Nodes[0].Append(t.Context(), opened("account.1", 0)); err != nil {
			t.Fatal(err)
		}
		cut := func(cut bool) {
			for i := 1; i < 3; i++ {
				c.Cut(0, i, cut)
				c.Cut(i, 0, cut)
			}
		}
		cut(true)
		start, read := time.Now(), make(chan error, 1)
		go func() {
			head, err := c.Nodes[0].Head(t.Context(), "account.1")
			if err == nil && head != (event.Head{Version: 1, Position: head.Position}) {
				t.Errorf("got %+v, want one event", head)
			}
			read <- err
		}()
		const outage = 12 * time.Second
		<-time.After(outage)
		select {
		case err := <-read:
			t.Fatalf("the read came back with %v while nobody could answer", err)
		default:
		}
		cut(false)
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > outage+time.Second {
			t.Errorf("got the answer after %s, want it as soon as they are back", took)
		}
	})
}
