package bus

import (
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// TestWorkersServeAllAtOnce: no task waits for another, however many there are, and nobody stays after stop.
func TestWorkersServeAllAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	var served sync.Map
	var done sync.WaitGroup
	const most = 3 * idleMost
	for range 3 {
		done.Add(most)
		var together sync.WaitGroup
		together.Add(most)
		w := newWorkers(func(task task) {
			defer done.Done()
			together.Done()
			together.Wait()
			served.Store(task.request.rest, true)
		})
		for i := range most {
			w.do(task{request: request{rest: strconv.Itoa(i)}})
		}
		done.Wait()
		w.stop()
		w.stop()
	}
	for i := range most {
		if _, ok := served.Load(strconv.Itoa(i)); !ok {
			t.Errorf("task %d was not served", i)
		}
	}
}

// TestWorkersStay: the next task may go to who served the last.
func TestWorkersStay(t *testing.T) {
	defer goleak.VerifyNone(t)
	done := make(chan struct{})
	w := newWorkers(func(task) { done <- struct{}{} })
	for range 100 {
		w.do(task{})
		<-done
	}
	if n := len(w.idle); n > idleMost {
		t.Errorf("%d stay", n)
	}
	w.stop()
}
