package accordtest

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"natsaccord/accord"
)

// Stats count what happened in a run. The tags say in which line String tells it.
type Stats struct {
	Runs        uint64 `in:"runs"`
	Steps       uint64 `in:"runs"`
	VirtualTime uint64 `in:"runs"` // microseconds

	Started  uint64 `in:"transactions"`
	Retried  uint64 `in:"transactions"` // of these, for a request that had been tried before
	Answered uint64 `in:"transactions"`
	Repeated uint64 `in:"transactions"` // executions that found the request executed before
	Refused  uint64 `in:"transactions"` // executions that found a condition not to hold
	Read     uint64 `in:"transactions"`

	Fast        uint64 `in:"decisions"` // by path; one may be made several times
	Slow        uint64 `in:"decisions"`
	Recovered   uint64 `in:"decisions"`
	Invalidated uint64 `in:"decisions"`

	InModeG      uint64 `in:"mode G"` // runs
	Elected      uint64 `in:"mode G"` // of these, with an electorate
	Commits      uint64 `in:"mode G"` // rounds
	FenceAccepts uint64 `in:"mode G"` // rounds
	RuledOut     uint64 `in:"mode G"` // fast paths, by evidence alone
	Waits        uint64 `in:"mode G"` // of recoveries, for others to be decided

	Attempted uint64 `in:"recoveries"`
	Preempted uint64 `in:"recoveries"` // attempts of any kind that had to give way
	Inquired  uint64 `in:"recoveries"`

	Issued  uint64 `in:"fences"`
	Moved   uint64 `in:"fences"` // a watermark
	Fetched uint64 `in:"fences"` // by a node that lags
	Forgot  uint64 `in:"fences"` // a transaction's record

	Exclusive uint64 `in:"erasing"` // fences issued
	Closed    uint64 `in:"erasing"` // the past, up to such a fence
	Surprised uint64 `in:"erasing"` // a coordinator whose transaction had been settled without it
	CatchUps  uint64 `in:"erasing"` // merges of another node's log

	Crashes      uint64 `in:"nodes"`
	DiskFailures uint64 `in:"nodes"` // of the crashes
	Burials      uint64 `in:"nodes"` // crashed for good
	Pauses       uint64 `in:"nodes"`
	SlowSyncs    uint64 `in:"nodes"`
	JumpsAhead   uint64 `in:"nodes"` // of clocks
	JumpsBack    uint64 `in:"nodes"`
	SkewRefused  uint64 `in:"nodes"` // what came from a clock too far ahead

	Partitions uint64 `in:"network"`
	OneWayCuts uint64 `in:"network"`
	Flaps      uint64 `in:"network"`
	Clogs      uint64 `in:"network"`
	Lost       uint64 `in:"network"` // messages
	Doubled    uint64 `in:"network"`
	Reordered  uint64 `in:"network"`
	Replayed   uint64 `in:"network"`
}

// Add adds other to s.
func (s *Stats) Add(other Stats) {
	sum, more := reflect.ValueOf(s).Elem(), reflect.ValueOf(other)
	for i := range sum.NumField() {
		sum.Field(i).SetUint(sum.Field(i).Uint() + more.Field(i).Uint())
	}
}

// Counts returns the counts by name, as String tells them.
func (s Stats) Counts() map[string]uint64 {
	counts := make(map[string]uint64)
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		counts[spaced(v.Type().Field(i).Name)] = v.Field(i).Uint()
	}
	return counts
}

// String returns the counts, a line for each kind.
func (s Stats) String() string {
	var b strings.Builder
	v, line := reflect.ValueOf(s), ""
	for i := range v.NumField() {
		field, n := v.Type().Field(i), v.Field(i).Uint()
		separator := ", "
		if kind := field.Tag.Get("in"); kind != line {
			line, separator = kind, fmt.Sprintf("\n%-13s ", kind+":")
		}
		unit := ""
		if field.Name == "VirtualTime" {
			n, unit = n/accord.Second, " s"
		}
		fmt.Fprintf(&b, "%s%d%s %s", separator, n, unit, spaced(field.Name))
	}
	return b.String()
}

// spaced returns a name in words.
func spaced(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// observe counts what is seen of a node from outside.
func (s *Stats) observe(e event) {
	switch e := e.(type) {
	case started:
		s.Started++
	case acknowledged:
		s.Answered++
	case readable:
		s.Read++
	case applied:
		if e.outcome.Repeated {
			s.Repeated++
		}
		if e.outcome.Refused {
			s.Refused++
		}
	}
}

// count adds what one Machine did.
func (s *Stats) count(c accord.Counters) {
	s.Fast += c.Fast
	s.Slow += c.Slow
	s.Recovered += c.Recovered
	s.Invalidated += c.Invalidated
	s.Attempted += c.Recoveries
	s.Commits += c.Commits
	s.FenceAccepts += c.FenceAccepts
	s.RuledOut += c.RuledOut
	s.Waits += c.Waits
	s.Preempted += c.Preempted
	s.Inquired += c.Inquiries
	s.Issued += c.Fences
	s.Moved += c.Watermarks
	s.Fetched += c.FenceFetches
	s.Forgot += c.Forgets
	s.Exclusive += c.ExclusiveFences
	s.Closed += c.Erasures
	s.Surprised += c.Forgotten
	s.SkewRefused += c.ClockSkews
}
