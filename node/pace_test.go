package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/accord"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		waits := func() time.Duration {
			before := time.Now()
			p.wait()
			return time.Since(before)
		}
		for range 20 {
			if d := waits(); d != 0 {
				t.Fatalf("one input after the other waits for %s", d)
			}
			p.turn(1)
		}
		for range 20 {
			p.wait()
			p.turn(10)
		}
		if d := waits(); d != paceTurn {
			t.Errorf("a busy loop waits for %s, want %s", d, paceTurn)
		}
		p.turn(10)
		<-time.After(paceTurn)
		if d := waits(); d != 0 {
			t.Errorf("a turn whose time has come waits for %s", d)
		}
	})
}

// syncs is a Store that tells of every group it is given to make durable.
type syncs struct {
	Store
	synced chan int
}

func (g syncs) AppendRecords(_ context.Context, records []accord.Record, _ *accord.Scalars) error {
	g.synced <- len(records)
	return nil
}

// silent is a Bus that nothing comes out of.
type silent struct{ Bus }

func (silent) Send(accord.Header, []accord.Message) {}

func TestRecordsWaitThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := syncs{synced: make(chan int)}
		n, err := New(Config{Name: "n1", Nodes: []string{"n1", "n2", "n3"}}, silent{}, store)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- n.write(ctx) }()

		record := []accord.Record{{}}
		owed := func(body accord.Body) []accord.Message { return []accord.Message{{To: 2, Body: body}} }
		began := time.Now()
		n.persists.put(persist{records: record}, persist{records: record, owed: owed(accord.StableOK{})})
		if got := <-store.synced; got != 2 || time.Since(began) != idleDelay {
			t.Errorf("%d records after %s, want 2 after %s", got, time.Since(began), idleDelay)
		}
		began = time.Now()
		n.persists.put(persist{records: record})
		synctest.Wait()
		n.persists.put(persist{records: record, owed: owed(accord.PreAcceptOK{})})
		if got := <-store.synced; got != 2 || time.Since(began) != 0 {
			t.Errorf("%d records after %s, want 2 at once", got, time.Since(began))
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
