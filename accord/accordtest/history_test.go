package accordtest_test

import (
	"errors"
	"testing"

	"natsaccord/accord"
	"natsaccord/accord/accordtest"
)

type lists = map[accord.Key][]uint64

// wrote is a request that appended to keys after it saw the lists as they were.
func wrote(request, begin, end uint64, keys []accord.Key, seen ...[]uint64) accordtest.Op {
	return accordtest.Op{Request: request, Begin: begin, End: end, Keys: accord.NewKeys(keys), Seen: seen}
}

func read(begin, end uint64, key accord.Key, seen ...uint64) accordtest.Op {
	return accordtest.Op{Begin: begin, End: end, Keys: accord.Keys{key}, Seen: [][]uint64{seen}}
}

func refused(op accordtest.Op) accordtest.Op {
	op.Refused = true
	return op
}

// TestCheckHistory has histories that are strictly serializable and such that nearly are.
func TestCheckHistory(t *testing.T) {
	a, ab := keys("a"), keys("a", "b")
	for _, test := range []struct {
		name  string
		ops   []accordtest.Op
		lists lists
		wrong string // the invariant; empty: none
	}{
		{"nothing", nil, nil, ""},
		{"one after another", []accordtest.Op{
			wrote(1, 1, 2, ab, nil, nil), wrote(2, 3, 4, a, []uint64{1}), read(5, 6, "a", 1, 2),
		}, lists{"a": {1, 2}, "b": {1}}, ""},
		{"at the same time, in either order", []accordtest.Op{
			wrote(1, 1, 9, a, []uint64{2}), wrote(2, 2, 8, a, nil), read(3, 7, "a", 2),
		}, lists{"a": {2, 1}}, ""},
		{"an unanswered request that happened", []accordtest.Op{
			wrote(1, 1, 0, a), wrote(2, 2, 3, a, []uint64{1}),
		}, lists{"a": {1, 2}}, ""},
		{"an unanswered request that did not", []accordtest.Op{wrote(1, 1, 0, a), read(2, 3, "a")}, nil, ""},
		{"a refusal that is right", []accordtest.Op{
			wrote(1, 1, 2, a, nil), refused(wrote(2, 3, 4, a, []uint64{1})),
		}, lists{"a": {1}}, ""},
		{"a stale read", []accordtest.Op{wrote(1, 1, 2, a, nil), read(3, 4, "a")}, lists{"a": {1}}, "I21"},
		{"a read that another read has overtaken", []accordtest.Op{
			wrote(1, 1, 0, a), read(2, 3, "a", 1), read(4, 5, "a"),
		}, lists{"a": {1}}, "I21"},
		{"two that came the other way round in time", []accordtest.Op{
			wrote(1, 1, 2, a, []uint64{2}), wrote(2, 3, 4, a, nil),
		}, lists{"a": {2, 1}}, "I21"},
		{"a lost append", []accordtest.Op{wrote(1, 1, 2, a, nil)}, nil, "I20"},
		{"a lost update", []accordtest.Op{
			wrote(1, 1, 4, a, nil), wrote(2, 2, 3, a, nil),
		}, lists{"a": {1, 2}}, "I21"},
		{"half a transaction", []accordtest.Op{wrote(1, 1, 0, ab)}, lists{"b": {1}}, "I21"},
		{"something happened twice", []accordtest.Op{wrote(1, 1, 0, a)}, lists{"a": {1, 1}}, "G6"},
		{"something out of nowhere", []accordtest.Op{wrote(1, 1, 2, a, nil)}, lists{"a": {1, 7}}, "I21"},
		{"a refusal that happened", []accordtest.Op{refused(wrote(1, 1, 2, a, nil))}, lists{"a": {1}}, "I20"},
		{"what never happens happened", []accordtest.Op{
			{Request: 1, Begin: 1, End: 2, Keys: a, Never: true},
		}, lists{"a": {1}}, "I20"},
		{"two see each other's keys in different orders", []accordtest.Op{
			wrote(1, 1, 9, ab, nil, []uint64{2}), wrote(2, 2, 8, ab, []uint64{1}, nil),
		}, lists{"a": {1, 2}, "b": {2, 1}}, "I21"},
		{"no key is wrong by itself, and time makes the circle", []accordtest.Op{
			// 3 sees 2 and not 1; but 1 was answered before 2 was asked for.
			wrote(1, 1, 2, keys("a"), nil), wrote(2, 3, 4, keys("b"), nil),
			refused(wrote(3, 1, 5, ab, nil, []uint64{2})),
		}, lists{"a": {1}, "b": {2}}, "I21"},
		{"the same, had 2 been asked for before", []accordtest.Op{
			wrote(1, 1, 3, keys("a"), nil), wrote(2, 2, 4, keys("b"), nil),
			refused(wrote(3, 1, 5, ab, nil, []uint64{2})),
		}, lists{"a": {1}, "b": {2}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := accordtest.CheckHistory(test.ops, test.lists)
			var v *accordtest.Violation
			switch {
			case test.wrong == "" && err != nil:
				t.Error(err)
			case test.wrong != "" && (!errors.As(err, &v) || v.Invariant != test.wrong):
				t.Errorf("got %v, want a violation of %s", err, test.wrong)
			}
		})
	}
}
