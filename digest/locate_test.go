package digest_test

import (
	"context"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"natsaccord/digest"
	"natsaccord/event"
)

// list is a Reader of a log of which only one number is known of each event.
type list struct {
	stored, held []int
	asked        *int
}

// Digest implements digest.Reader: the numbers themselves are their digest.
func (l list) Digest(_ context.Context, q event.DigestQuery) (event.Digest, error) {
	*l.asked++
	of := l.held
	if q.Stored {
		of = l.stored
	}
	d := event.Digest{From: q.From, To: q.To}
	for i := q.From; i < q.To && i < uint64(len(of)); i++ {
		d.Sum += string(rune('a' + of[i]))
		d.Position = position(int(i) + 1)
	}
	return d, nil
}

// TestLocate finds the first difference wherever it is, in about as many exchanges as the length has binary digits.
func TestLocate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 500).Draw(t, "n")
		a := make([]int, n)
		b := make([]int, n)
		first := rapid.IntRange(0, n-1).Draw(t, "first")
		for i := first; i < n; i++ {
			b[i] = rapid.IntRange(0, 2).Draw(t, "b")
		}
		b[first] = 1
		every := rapid.IntRange(1, 50).Draw(t, "every")
		asked := 0
		locate := func() (digest.Place, bool, error) {
			return digest.Locate(t.Context(), list{a, a, &asked}, list{b, b, &asked}, 0, uint64(n), every)
		}
		if rapid.Bool().Draw(t, "rows only") {
			locate = func() (digest.Place, bool, error) {
				return digest.LocateRows(t.Context(), list{nil, a, &asked}, list{nil, b, &asked}, 0, uint64(n))
			}
		}
		place, found, err := locate()
		if err != nil || !found || place.Events != uint64(first) || place.Position != position(first+1) {
			t.Fatalf("got %+v, %v, %v, want %d", place, found, err, first)
		}
		if most := bits.Len(uint(n)) + 4; place.Exchanges > most || asked != 2*place.Exchanges {
			t.Fatalf("took %d exchanges and %d questions, want at most %d", place.Exchanges, asked, most)
		}
	})
}

// TestLocateNothing: what differs in what is stored only is not found in what is held.
func TestLocateNothing(t *testing.T) {
	asked := 0
	same := make([]int, 100)
	if place, found, err := digest.Locate(t.Context(), list{[]int{}, same, &asked}, list{same, same, &asked}, 0, 100, 10); found || err != nil {
		t.Errorf("got %+v, %v", place, err)
	}
}
