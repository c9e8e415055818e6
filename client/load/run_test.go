package load_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/client/load"
	"natsaccord/event"
)

// slow takes a while for every request.
func slow(d time.Duration) load.Request {
	return func(context.Context, load.Call) error {
		<-time.After(d)
		return nil
	}
}

// run runs load in virtual time.
func run(t *testing.T, cfg load.Config, do load.Request) (result load.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if result, err = load.Run(t.Context(), cfg, do); err != nil {
			t.Fatal(err)
		}
	})
	return result
}

func about(got, want time.Duration) bool { return got > want*99/100 && got < want*101/100 }

func TestClosedLoop(t *testing.T) {
	r := run(t, load.Config{Concurrency: 4, Duration: time.Second}, slow(10*time.Millisecond))
	if r.Done != 400 || r.Rate != 400 || r.Errors() != 0 || r.Missed != 0 {
		t.Errorf("got %d done, %g a second, %d errors, %d missed", r.Done, r.Rate, r.Errors(), r.Missed)
	}
	if !about(r.Latency.P50, 10*time.Millisecond) || !about(r.Latency.Max, 10*time.Millisecond) {
		t.Errorf("got latency %+v", r.Latency)
	}
}

func TestCountEndsARun(t *testing.T) {
	r := run(t, load.Config{Concurrency: 3, Duration: time.Hour, Count: 10}, slow(time.Second))
	if r.Done != 10 || r.Elapsed != 4*time.Second || r.Rate != 2.5 {
		t.Errorf("got %d done in %s, %g a second", r.Done, r.Elapsed, r.Rate)
	}
}

func TestOpenLoopStartsInTime(t *testing.T) {
	var mu sync.Mutex
	var starts []time.Duration
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		_, err := load.Run(t.Context(), load.Config{Concurrency: 2, Rate: 4, Duration: time.Second}, func(context.Context, load.Call) error {
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, time.Since(begin))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if got, want := fmt.Sprint(starts), "[0s 250ms 500ms 750ms]"; got != want {
		t.Errorf("got starts at %s, want %s", got, want)
	}
}

// TestOpenLoopChargesAStall: one request takes a second; all that were to start meanwhile count from when they
// were to start. A closed loop would not notice more than the one.
func TestOpenLoopChargesAStall(t *testing.T) {
	stall := func(_ context.Context, call load.Call) error {
		if call.N == 100 {
			<-time.After(time.Second)
		}
		return nil
	}
	r := run(t, load.Config{Concurrency: 1, Rate: 100, Duration: 10 * time.Second}, stall)
	if r.Done != 1000 || r.Missed != 0 {
		t.Errorf("got %d done, %d missed", r.Done, r.Missed)
	}
	if !about(r.Latency.Max, time.Second) || r.Latency.P50 > time.Millisecond || !about(r.Latency.P99, 900*time.Millisecond) {
		t.Errorf("got latency %+v, want a tenth of all to have waited, up to a second", r.Latency)
	}
	closed := run(t, load.Config{Concurrency: 1, Count: 1000}, stall)
	if closed.Latency.P99 > time.Millisecond {
		t.Errorf("got a p99 of %s in a closed loop", closed.Latency.P99)
	}
}

func TestOpenLoopTellsWhatItMissed(t *testing.T) {
	r := run(t, load.Config{Concurrency: 2, Rate: 100, Duration: 10 * time.Second}, slow(100*time.Millisecond))
	if r.Done != 200 || r.Missed != 800 || r.Rate < 19 || r.Rate > 20 {
		t.Errorf("got %d done, %d missed, %g a second, want 200, 800 and about 20", r.Done, r.Missed, r.Rate)
	}
}

func TestErrorsAreCountedByKind(t *testing.T) {
	answers := []error{
		nil, fmt.Errorf("wrapped: %w", &event.ConflictError{}), &event.UnknownError{RequestID: "r", Err: context.DeadlineExceeded},
		&event.OverloadedError{}, event.ErrNoQuorum, errors.New("whatever"), context.DeadlineExceeded, &event.ConflictError{},
	}
	r := run(t, load.Config{Count: uint64(len(answers))}, func(_ context.Context, call load.Call) error { return answers[call.N] })
	want := "map[conflict:2 no_quorum:1 other:1 overloaded:1 timeout:1 unknown:1]"
	if got := fmt.Sprint(r.Failed); got != want || r.Done != 1 || r.Errors() != 7 {
		t.Errorf("got %s, %d done and %d errors, want %s", got, r.Done, r.Errors(), want)
	}
}

func TestProgress(t *testing.T) {
	var told []string
	run(t, load.Config{Concurrency: 1, Duration: 3500 * time.Millisecond, Progress: func(p load.Progress) {
		told = append(told, fmt.Sprintf("%s %d %d %g", p.Elapsed, p.Done, p.Failed, p.Rate))
	}}, slow(300*time.Millisecond))
	if got, want := fmt.Sprint(told), "[1s 3 0 3 2s 6 0 3 3s 9 0 3]"; got != want && got != "[1s 3 0 3 2s 6 0 3 3s 10 0 4]" {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEndedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := load.Run(ctx, load.Config{Concurrency: 2, Duration: time.Hour}, func(ctx context.Context, _ load.Call) error {
			select {
			case <-time.After(400 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil || r.Done != 4 || r.Errors() != 0 || r.Rate != 4 {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

func TestBadConfig(t *testing.T) {
	for _, cfg := range []load.Config{{Concurrency: -1}, {Rate: -1}, {Duration: -1}, {Every: -1}} {
		if _, err := load.Run(t.Context(), cfg, slow(0)); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
