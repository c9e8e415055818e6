package accordtest

import (
	"strconv"
	"strings"
)

// tailLines is how many events a failed run shows.
const tailLines = 400

// trace is the transcript of a run: a hash of all of it, and its end. It keeps everything if asked to.
type trace struct {
	line text
	hash uint64
	tail [tailLines][]byte
	next int
	all  *strings.Builder // nil: only the tail is kept
}

// add writes an event that happened at a virtual time.
func (t *trace) add(now uint64, e event) {
	t.line = strconv.AppendUint(t.line[:0], now, 10)
	t.line = append(t.line, ' ')
	start := len(t.line)
	e.lines(&t.line)
	if len(t.line) == start {
		return
	}
	t.hash = mix(t.hash, t.line)
	slot := &t.tail[t.next%tailLines]
	*slot = append((*slot)[:0], t.line...)
	t.next++
	if t.all != nil {
		t.all.Write(t.line)
	}
}

// String returns all that was kept.
func (t *trace) String() string {
	if t.all != nil {
		return t.all.String()
	}
	var b strings.Builder
	for i := max(0, t.next-tailLines); i < t.next; i++ {
		b.Write(t.tail[i%tailLines])
	}
	return b.String()
}
