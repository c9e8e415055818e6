package blackbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// restartPause is how long a node that has ended is left alone before it is started again.
const restartPause = 200 * time.Millisecond

// node is an accord process that is started again whenever it ends by itself, as a service manager would.
type node struct {
	name    string
	program string
	args    []string
	log     *os.File

	mu      sync.Mutex
	process *process // nil while there is none
	wanted  bool     // it is to run
	faults  int      // under way that a process may end by
	ends    int      // of processes by themselves
	errs    []error  // ends that nothing excuses

	watching sync.WaitGroup
	closed   chan struct{}
}

// process is one life of a node.
type process struct {
	cmd     *exec.Cmd
	said    tail
	gone    chan struct{}
	killed  bool
	excused bool // a fault has been under way that it may end by
}

// tail keeps the last of what a process says.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (w *tail) Write(b []byte) (int, error) {
	const most = 16 << 10
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, b...)
	w.buf = w.buf[max(0, len(w.buf)-most):]
	return len(b), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.buf)
}

// both writes to a log and to a tail.
type both struct {
	log  *os.File
	said *tail
}

func (w both) Write(b []byte) (int, error) {
	n, err := w.log.Write(b)
	_, _ = w.said.Write(b) // never fails
	return n, err
}

// start has the node run from now on.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted = true
	return n.launch()
}

// launch starts a process. The caller holds mu.
func (n *node) launch() error {
	p := &process{cmd: exec.Command(n.program, n.args...), gone: make(chan struct{}), excused: n.faults > 0}
	p.cmd.Stderr = both{n.log, &p.said}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	n.process = p
	n.watching.Go(func() { n.watch(p) })
	return nil
}

// watch waits until a process ends, and starts another one if nobody has killed it.
func (n *node) watch(p *process) {
	err := p.cmd.Wait()
	close(p.gone)
	if !n.ended(p, err) {
		return
	}
	timer := time.NewTimer(restartPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.closed:
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wanted && n.process == nil {
		if err := n.launch(); err != nil {
			n.errs = append(n.errs, err)
		}
	}
}

// ended notes how a process ended, and tells whether it did so by itself.
func (n *node) ended(p *process, err error) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	said := p.said.String()
	if bytes.Contains([]byte(said), []byte("panic: ")) || strings.Contains(said, "fatal error: ") {
		n.errs = append(n.errs, fmt.Errorf("%s broke: %s", n.name, said))
	}
	if p.killed {
		return false
	}
	n.process = nil
	n.ends++
	// Postgres may need a moment to see that the process before has gone.
	if locked := strings.Contains(said, "another process"); !p.excused && !locked {
		n.errs = append(n.errs, fmt.Errorf("%s ended by itself: %w: %s", n.name, err, said))
	}
	return true
}

// kill ends the node without a warning, and returns when it is gone. It stays so until it is started.
func (n *node) kill() error {
	n.mu.Lock()
	n.wanted = false
	p := n.process
	n.process = nil
	if p != nil {
		p.killed = true
	}
	n.mu.Unlock()
	if p == nil {
		return nil
	}
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-p.gone
	return err
}

// signal sends a signal to the process, if there is one.
func (n *node) signal(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return nil
	}
	if err := n.process.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// excuse says that a fault begins which a process may end by.
func (n *node) excuse() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults++
	if n.process != nil {
		n.process.excused = true
	}
}

// demand says that such a fault is over: the next process has to stay.
func (n *node) demand() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults--
}

// close ends the node for good.
func (n *node) close() error {
	close(n.closed)
	err := n.kill()
	n.watching.Wait()
	return errors.Join(err, n.kill(), n.log.Close())
}

// faulty returns what went wrong with the node that nothing excuses, and how often it ended by itself.
func (n *node) faulty() (ends int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ends, errors.Join(n.errs...)
}
