package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"natsaccord/accord"
	"natsaccord/event"
)

// block has every write to the database wait, but no read, until the function it returns is called.
func block(t *testing.T, url string) (unblock func()) {
	t.Helper()
	driver, name, begin := "pgx", url, "BEGIN; LOCK TABLE event IN SHARE MODE"
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, name, begin = "sqlite", "file:"+path, "BEGIN IMMEDIATE"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), begin); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		conn.Close()
		db.Close()
	})
}

// anyAppend draws an append. Those of category b execute before many of category a that were applied earlier.
func anyAppend(t *testing.T, rng *rand.Rand, n int) accord.Execution {
	hlc := uint64(1_000_000 + 10*n)
	category := "a"
	if rng.IntN(2) == 0 {
		category, hlc = "b", hlc-995
	}
	var events []event.Event
	for range 1 + rng.IntN(2) {
		e := event.Event{Stream: event.StreamOf(category, fmt.Sprint(rng.IntN(4))), Type: fmt.Sprint("T", rng.IntN(3)), Data: fmt.Appendf(nil, `{"n": %d}`, n)}
		switch rng.IntN(4) {
		case 0:
			e.Data, e.Binary = []byte{0, 255, byte(n)}, true
		case 1:
			e.Data, e.Binary = nil, true
		case 2:
			e.Tags, e.Metadata = []string{"t0", fmt.Sprint("t", 1+rng.IntN(2))}, map[string]string{"k": fmt.Sprint(n)}
		}
		if rng.IntN(3) == 0 {
			e.RoutingKey = fmt.Sprint("r", rng.IntN(2))
		}
		events = append(events, e)
	}
	return execution(t, hlc, event.Append{RequestID: fmt.Sprint("r", n), Events: events})
}

// anyRead draws a read.
func anyRead(rng *rand.Rand, positions []event.Position) event.ReadArgs {
	args := event.ReadArgs{Limit: []int{0, 1, 3, 10, 50, 1000}[rng.IntN(6)], Backward: rng.IntN(2) == 0}
	switch rng.IntN(3) {
	case 0:
		args.Category = []string{"a", "b"}[rng.IntN(2)]
	case 1:
		args.Stream = event.StreamOf([]string{"a", "b"}[rng.IntN(2)], fmt.Sprint(rng.IntN(5)))
		if rng.IntN(2) == 0 {
			args.FromVersion = uint64(rng.IntN(60))
		}
	}
	for _, draw := range []func(){
		func() { args.Types = []string{"T0", "T2"}[:1+rng.IntN(2)] },
		func() { args.Tags = []string{"t0", "t1"}[rng.IntN(2):] },
		func() { args.RoutingKey = "r1" },
		func() { args.After = positions[rng.IntN(len(positions))] },
		func() { args.Before = positions[rng.IntN(len(positions))] },
		func() { args.MaxBytes = 1 + rng.IntN(5000) },
	} {
		if rng.IntN(4) == 0 {
			draw()
		}
	}
	return args
}

// TestReadsSeeWhatIsOnItsWay: every read gives, while part of what it selects stands in the database, part is being written and part waits,
// what it gives of the database alone once all is there.
func TestReadsSeeWhatIsOnItsWay(t *testing.T) {
	const seed = 7
	onBoth(t, func(t *testing.T, url string) {
		s, rng, n := open(t, url), rand.New(rand.NewPCG(seed, 0)), 0
		var positions []event.Position
		apply := func(count int) {
			for range count / 10 {
				var batch []accord.Execution
				for range 10 {
					batch, n = append(batch, anyAppend(t, rng, n)), n+1
				}
				outcomes, err := s.Apply(t.Context(), batch)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range outcomes {
					positions = append(positions, o.Receipt.Position)
				}
			}
		}
		stored := func(args event.ReadArgs) event.Page {
			page, err := s.ReadStored(t.Context(), args)
			if err != nil {
				t.Fatal(err)
			}
			return page
		}
		apply(200)
		stored(event.ReadArgs{})
		unblock := block(t, url)
		defer unblock()
		apply(200)
		var settling sync.WaitGroup
		settling.Go(func() { stored(event.ReadArgs{}) })
		for writing := 0; writing == 0; writing, _ = s.OnTheWay() {
			runtime.Gosched()
		}
		apply(200)
		reads := make(map[int]event.ReadArgs)
		pages := make(map[int]event.Page)
		heads := make(map[event.Stream]event.Head)
		for i := range 500 {
			var err error
			reads[i] = anyRead(rng, positions)
			if pages[i], err = s.Read(t.Context(), reads[i]); err != nil {
				t.Fatal(err)
			}
			if stream := reads[i].Stream; stream != "" {
				if heads[stream], err = s.Head(t.Context(), stream); err != nil {
					t.Fatal(err)
				}
			}
		}
		if writing, next := s.OnTheWay(); writing < 100 || next < 100 {
			t.Fatalf("%d events were being written and %d waited, want more", writing, next)
		}
		unblock()
		settling.Wait()
		for i, args := range reads {
			if want := stored(args); !reflect.DeepEqual(pages[i], want) {
				t.Fatalf("read %+v\ngot  %+v\nwant %+v", args, pages[i], want)
			}
		}
		for stream, head := range heads {
			if want := stored(event.ReadArgs{Stream: stream, Backward: true, Limit: 1}); head != want.Head {
				t.Errorf("head of %s is %+v, want %+v", stream, head, want.Head)
			}
		}
	})
}

// shownIn tells how many events whoever opens the database beside the store finds in it.
func shownIn(t *testing.T, url string) (n int) {
	t.Helper()
	each(t, url, `SELECT count(*) FROM event`, func(scan func(...any) error) error { return scan(&n) })
	return n
}

// TestManyAreShownTogether: under load what has been written to SQLite is committed later. Meanwhile it is read, from memory; who waits for it has it
// committed, and if nobody does it is committed soon.
func TestManyAreShownTogether(t *testing.T) {
	url, n := "sqlite:"+t.TempDir()+"/a.db", 0
	s := open(t, url)
	load := func() { // until a write is not shown
		for unseen := 0; unseen == 0; unseen, _ = s.OnTheWay() {
			var batch []accord.Execution
			for range 100 {
				e := event.Event{Stream: event.StreamOf("a", fmt.Sprint(n%50)), Type: "T", Data: fmt.Appendf(nil, "%q", strings.Repeat("x", 10))}
				batch, n = append(batch, execution(t, uint64(10+n), event.Append{Events: []event.Event{e}})), n+1
			}
			if _, err := s.Apply(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, settle := range []bool{true, false} {
		load()
		page, err := s.Read(t.Context(), event.ReadArgs{Backward: true, Limit: 1})
		if err != nil || page.Events[0].Position != positionAt(n-1) {
			t.Fatalf("read %+v after %d appends, %v", page, n, err)
		}
		if settle {
			if err := s.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if shown := shownIn(t, url); shown != n {
				t.Fatalf("after everything was waited for %d events of %d are in the database", shown, n)
			}
			continue
		}
		for shownIn(t, url) < n {
			runtime.Gosched()
		}
	}
}

// positionAt is that of the only event of the n-th of such appends.
func positionAt(n int) event.Position { return event.PositionAt(at(uint64(10+n)).String(), 0) }

// TestReadsMissNothingThatIsWritten: what was applied before a read is seen by it at whatever moment of its way to the database, and once.
func TestReadsMissNothingThatIsWritten(t *testing.T) {
	const rounds, streams = 400, 3
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var settling sync.WaitGroup
		defer settling.Wait()
		defer stop()
		settling.Go(func() { // has the database written all the time
			for ctx.Err() == nil {
				if _, err := s.ReadStored(ctx, event.ReadArgs{Limit: 1}); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
		for i := range rounds {
			stream := event.StreamOf("a", fmt.Sprint(i%streams))
			if _, err := s.Apply(t.Context(), []accord.Execution{execution(t, uint64(10+i), event.Append{Events: []event.Event{note(stream, 0)}})}); err != nil {
				t.Fatal(err)
			}
			want := uint64(1 + i/streams)
			page, err := s.Read(t.Context(), event.ReadArgs{Stream: stream, Limit: 1000})
			if err != nil || page.Head.Version != want || uint64(len(page.Events)) != want || !page.End {
				t.Fatalf("after %d appends to %s got %d events and head %+v, %v", want, stream, len(page.Events), page.Head, err)
			}
			all, err := s.Read(t.Context(), event.ReadArgs{Category: "a", Limit: 1000})
			if err != nil || len(all.Events) != i+1 {
				t.Fatalf("after %d appends got %d events of the category, %v", i+1, len(all.Events), err)
			}
			if head, err := s.Head(t.Context(), stream); err != nil || head != page.Head {
				t.Fatalf("head of %s is %+v, want %+v, %v", stream, head, page.Head, err)
			}
		}
	})
}

// TestCloseWhileReading: whoever reads while a store is closed gets what there is, or an error.
func TestCloseWhileReading(t *testing.T) {
	s := openStore(t, "sqlite:"+t.TempDir()+"/a.db")
	if _, err := s.Apply(t.Context(), appends(t, 100)); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	begun := make(chan struct{}, 3)
	for k := range cap(begun) {
		reading.Go(func() {
			for i := k; ; i += 3 { // another statement each time
				page, err := s.Read(context.Background(), event.ReadArgs{Stream: "a.1", Limit: 1 + i%900})
				if err != nil {
					return
				}
				if len(page.Events) != min(100, 1+i%900) {
					t.Errorf("read %d events, want %d", len(page.Events), min(100, 1+i%900))
					return
				}
				if i == k {
					begun <- struct{}{}
				}
			}
		})
	}
	for range cap(begun) {
		<-begun
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	reading.Wait()
}

// TestReadStoredWaitsForTheDatabase: what digests read comes from the database, and is waited for if that lacks it; only then.
func TestReadStoredWaitsForTheDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		unblock := block(t, url)
		defer unblock()
		if _, err := s.Apply(t.Context(), appends(t, 3)); err != nil {
			t.Fatal(err)
		}
		if page, err := s.ReadStored(t.Context(), event.ReadArgs{Category: "other"}); err != nil || len(page.Events) != 0 {
			t.Errorf("read %d events of another category, %v", len(page.Events), err)
		}
		lacking := []event.ReadArgs{{}, {Category: "a"}, {Stream: "a.1"}}
		found := make(chan int, len(lacking))
		for _, args := range lacking {
			go func() {
				page, err := s.ReadStored(t.Context(), args)
				if err != nil {
					t.Error(err)
				}
				found <- len(page.Events)
			}()
		}
		for unseen := 0; unseen == 0; unseen, _ = s.OnTheWay() { // is being written, which whoever waits hurries, and else begins in a while
			runtime.Gosched()
		}
		if len(found) > 0 {
			t.Errorf("%d reads did not wait for what the database lacks", len(found))
		}
		unblock()
		for range lacking {
			if n := <-found; n != 3 {
				t.Errorf("read %d events, want 3", n)
			}
		}
	})
}
