package bus

import (
	"sync"
)

// task is a request to be served, and how.
type task struct {
	action  action
	request request
}

// workers serve each task on a goroutine to itself. Some stay for the next one: a new goroutine's stack has to grow, several
// times, before it is as large as serving an append takes, and that costs as much as reading the append.
type workers struct {
	serve func(task)
	tasks chan task
	idle  chan struct{} // holds a token for each that stays
	ended sync.Once
}

// idleMost is how many stay, of about 16 KiB each.
const idleMost = 256

func newWorkers(serve func(task)) *workers {
	return &workers{serve: serve, tasks: make(chan task), idle: make(chan struct{}, idleMost)}
}

// do has a task served, and does not wait. It must not be called after stop.
func (w *workers) do(t task) {
	select {
	case w.tasks <- t:
	default:
		go w.work(t)
	}
}

// work serves a task, and those that come after it if there is a place to wait for them.
func (w *workers) work(t task) {
	w.serve(t)
	for {
		select {
		case w.idle <- struct{}{}:
		default:
			return
		}
		next, more := <-w.tasks
		<-w.idle
		if !more {
			return
		}
		w.serve(next)
	}
}

// stop ends those that stay. Calling it again does nothing.
func (w *workers) stop() { w.ended.Do(func() { close(w.tasks) }) }
