package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// axis says how values are laid out. The zero axis is linear from zero on, with ticks of its own choice.
type axis struct {
	log   bool
	ticks []tick // none: round numbers
	unit  string // behind the last tick's label
}

// tick is a labelled place on an axis.
type tick struct {
	value float64
	label string
}

// scale is an axis with its place on paper.
type scale struct {
	log         bool
	least, most float64 // values at the ends; with log both are above zero
	from, to    float64 // pixels
	ticks       []tick
}

// wanted is about how many intervals round ticks divide an axis into.
const wanted = 4

// placed lays an axis out for values, between two pixels.
func (a axis) placed(values []float64, from, to float64) scale {
	s := scale{log: a.log, from: from, to: to, ticks: a.ticks}
	for _, t := range a.ticks {
		values = append(values, t.value)
	}
	if a.log {
		s.decades(values)
	} else {
		s.rounds(values)
	}
	if n := len(s.ticks); n > 0 && a.unit != "" {
		s.ticks = slices.Clone(s.ticks)
		s.ticks[n-1].label += " " + a.unit
	}
	return s
}

// rounds has a linear scale begin at zero and, unless it has ticks, end with a round number.
func (s *scale) rounds(values []float64) {
	for _, v := range values {
		s.most = max(s.most, v)
	}
	if s.most <= 0 {
		s.most = 1
	}
	if len(s.ticks) > 0 {
		return
	}
	step := roundStep(s.most / wanted)
	s.most = step * math.Ceil(s.most/step)
	for i := 0; float64(i)*step <= s.most*(1+1e-9); i++ {
		s.ticks = append(s.ticks, tick{float64(i) * step, number(float64(i) * step)})
	}
}

// roundStep is the smallest of 1, 2 and 5 times a power of ten that is at least so large.
func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, times := range []float64{1, 2, 5} {
		if times*power >= least*(1-1e-9) {
			return times * power
		}
	}
	return 10 * power
}

// decades has a logarithmic scale hold all values, and unless it has ticks, begin and end with powers of ten. What is
// not above zero has no place of its own: it stands a decade before the least that is.
func (s *scale) decades(values []float64) {
	zero := false
	for _, v := range values {
		if v <= 0 {
			zero = true
			continue
		}
		if s.least == 0 {
			s.least = v
		}
		s.least, s.most = min(s.least, v), max(s.most, v)
	}
	if s.least == 0 {
		s.least, s.most = 1, 10
	}
	if zero {
		s.least /= 10
	}
	if len(s.ticks) > 0 {
		if s.least == s.most {
			s.most *= 10
		}
		return
	}
	first, last := math.Floor(math.Log10(s.least)), math.Ceil(math.Log10(s.most))
	last = max(last, first+1)
	s.least, s.most = math.Pow(10, first), math.Pow(10, last)
	for e := first; e <= last; e++ {
		s.ticks = append(s.ticks, tick{math.Pow(10, e), number(math.Pow(10, e))})
	}
}

// at is the pixel of a value.
func (s scale) at(value float64) float64 {
	share := (value - s.least) / (s.most - s.least)
	if s.log {
		share = math.Log(max(value, s.least)/s.least) / math.Log(s.most/s.least)
	}
	return s.from + share*(s.to-s.from)
}

// number writes a value with commas between thousands, and as many decimals as it needs.
func number(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if v != math.Trunc(v) {
		text = strconv.FormatFloat(v, 'g', 3, 64)
	}
	whole, rest, _ := strings.Cut(text, ".")
	if strings.ContainsAny(text, "e-") {
		return text
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}
