package digest

import (
	"context"

	"natsaccord/event"
)

// Place is where two logs begin to differ.
type Place struct {
	Events    uint64         // so many events before it are the same
	Position  event.Position // of the first event that is not, the lower of the two
	Exchanges int            // questions that it took, of each of the two
}

// Locate finds the first event in which two logs differ that are known to differ in a run of events, by halving: first
// by what is stored, in steps of every events, then by what the databases hold. It reports false if the databases
// hold the same by now.
func Locate(ctx context.Context, a, b Reader, from, to uint64, every int) (place Place, found bool, err error) {
	s := search{a: a, b: b}
	step := uint64(every)
	lo, hi := from, to
	for hi-lo > step {
		mid := (lo + hi) / 2 / step * step
		if mid <= lo {
			break
		}
		same, err := s.same(ctx, event.DigestQuery{To: mid, Stored: true})
		if err != nil {
			return place, false, err
		}
		if same {
			lo = mid
		} else {
			hi = mid
		}
	}
	return s.rows(ctx, lo, hi)
}

// LocateRows does so by what the databases hold alone.
func LocateRows(ctx context.Context, a, b Reader, from, to uint64) (place Place, found bool, err error) {
	s := search{a: a, b: b}
	return s.rows(ctx, from, to)
}

// search compares two logs.
type search struct {
	a, b      Reader
	exchanges int
	last      [2]event.Digest // of the last comparison
}

// same tells whether both logs have the same digest.
func (s *search) same(ctx context.Context, q event.DigestQuery) (bool, error) {
	s.exchanges++
	for i, reader := range []Reader{s.a, s.b} {
		var err error
		if s.last[i], err = reader.Digest(ctx, q); err != nil {
			return false, err
		}
	}
	return s.last[0] == s.last[1], nil
}

// rows halves a run of events that differs.
func (s *search) rows(ctx context.Context, lo, hi uint64) (place Place, found bool, err error) {
	for differs := false; !differs || hi-lo > 1; {
		mid := hi
		if differs {
			mid = (lo + hi) / 2
		}
		same, err := s.same(ctx, event.DigestQuery{From: lo, To: mid})
		switch {
		case err != nil:
			return place, false, err
		case same && !differs:
			return Place{Exchanges: s.exchanges}, false, nil
		case same:
			lo = mid
		default:
			hi, differs = mid, true
		}
	}
	if _, err := s.same(ctx, event.DigestQuery{From: lo, To: hi}); err != nil {
		return place, false, err
	}
	position := min(s.last[0].Position, s.last[1].Position)
	if position == "" { // one of the logs has nothing there
		position = max(s.last[0].Position, s.last[1].Position)
	}
	return Place{Events: lo, Position: position, Exchanges: s.exchanges}, true, nil
}
