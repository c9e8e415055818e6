package dashboard

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"natsaccord/event"
)

// class is what an append came to.
type class int

const (
	fast class = iota
	slow
	recovered
	learnt // from another node, which decided it
	alone  // without consensus
	duplicate
	conflict
	refused
	unknown
	classEnd
)

// labels returns an append's outcome, and by which path it was decided.
func (c class) labels() []string {
	return [classEnd][]string{
		fast: {"committed", "fast"}, slow: {"committed", "slow"}, recovered: {"committed", "recovered"}, learnt: {"committed", "learnt"},
		alone: {"committed", "single"}, duplicate: {"duplicate", ""}, conflict: {"conflict", ""}, refused: {"refused", ""}, unknown: {"unknown", ""},
	}[c]
}

// classOf tells what an append came to.
func classOf(receipt event.Receipt, err error) class {
	if err != nil {
		return classOfError(err)
	}
	switch {
	case receipt.Duplicate:
		return duplicate
	case receipt.Path == "fast":
		return fast
	case receipt.Path == "slow":
		return slow
	case receipt.Path == "recovered":
		return recovered
	case receipt.Path == "":
		return alone
	}
	return learnt
}

func classOfError(err error) class {
	var (
		undecided *event.UnknownError
		differs   *event.ConflictError
		exists    *event.ExistsError
	)
	switch {
	case errors.As(err, &undecided):
		return unknown
	case errors.As(err, &differs), errors.As(err, &exists):
		return conflict
	}
	return refused
}

// appends says how long a node's appends have taken.
type appends struct {
	*prometheus.HistogramVec
	of [classEnd]prometheus.Observer // looked up once, so that an append costs no search and no memory
}

func newAppends(node string) *appends {
	a := &appends{HistogramVec: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "accord_append_duration_seconds", Help: "How long appends took that clients made through this node, by what they came to.",
		ConstLabels: prometheus.Labels{"node": node},
		Buckets:     []float64{.0005, .001, .002, .003, .005, .0075, .01, .02, .03, .05, .075, .1, .2, .3, .5, 1, 2.5, 5, 10},
	}, []string{"outcome", "path"})}
	for c := range classEnd {
		a.of[c] = a.WithLabelValues(c.labels()...)
	}
	return a
}

// Appended notes what an append came to, and how long it took.
func (n *Node) Appended(took time.Duration, receipt event.Receipt, err error) {
	if n == nil {
		return
	}
	n.appends.of[classOf(receipt, err)].Observe(took.Seconds())
}
