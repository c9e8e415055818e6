package eventtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/event"
	"natsaccord/event/eventtest"
)

func TestMemory(t *testing.T) {
	eventtest.Exercise(t, func(*testing.T) event.Executor { return eventtest.NewMemory() })
}

func TestMemoryThatHoldsEvents(t *testing.T) {
	m := eventtest.NewMemory()
	for range 2 {
		eventtest.Exercise(t, func(*testing.T) event.Executor { return m })
	}
}

func opened(request string) event.Append {
	return event.Append{RequestID: request, Events: []event.Event{{Stream: "account.7", Type: "Opened", Data: []byte("1")}}}
}

func TestMemoryRemembersRequests(t *testing.T) {
	m := eventtest.NewMemory()
	if _, err := m.Outcome(t.Context(), "r"); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("before: got %v", err)
	}
	first, err := m.Append(t.Context(), opened("r"))
	if err != nil || first.Duplicate {
		t.Fatalf("got %+v, %v", first, err)
	}
	again, err := m.Append(t.Context(), opened("r"))
	if err != nil || !again.Duplicate || again.Position != first.Position {
		t.Errorf("again: got %+v, %v, want %+v", again, err, first)
	}
	for _, id := range []string{"r", first.TxnID} {
		outcome, err := m.Outcome(t.Context(), id)
		if err != nil || !outcome.Committed || outcome.Position != first.Position {
			t.Errorf("outcome of %s: got %+v, %v", id, outcome, err)
		}
	}
	if head, err := m.Head(t.Context(), "account.7"); err != nil || head != (event.Head{Version: 1, Position: first.Position}) {
		t.Errorf("head: got %+v, %v", head, err)
	}
	if status, err := m.Status(t.Context()); err != nil || status.Events != 1 || status.Last != first.Position {
		t.Errorf("status: got %+v, %v", status, err)
	}
}

func TestMemoryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := eventtest.NewMemory()
		pages := make(chan event.Page, 1)
		go func() {
			page, _ := m.Read(t.Context(), event.ReadArgs{Category: "account", Wait: time.Hour})
			pages <- page
		}()
		synctest.Wait()
		if _, err := m.Append(t.Context(), event.Append{Events: []event.Event{{Stream: "other.1", Type: "T", Data: []byte("1")}}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(pages) != 0 {
			t.Fatal("returned for an event of another category")
		}
		if _, err := m.Append(t.Context(), opened("")); err != nil {
			t.Fatal(err)
		}
		if page := <-pages; len(page.Events) != 1 {
			t.Errorf("got %+v, want the event waited for", page)
		}

		start := time.Now()
		page, err := m.Read(t.Context(), event.ReadArgs{Category: "nothing", Wait: time.Minute})
		if waited := time.Since(start); err != nil || len(page.Events) != 0 || waited != time.Minute {
			t.Errorf("got %+v, %v after %s, want nothing after a minute", page, err, waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := m.Read(ctx, event.ReadArgs{Category: "nothing", Wait: time.Minute}); err != nil || time.Since(start) != time.Second {
			t.Errorf("got %v after %s, want nothing after a second", err, time.Since(start))
		}
	})
}
