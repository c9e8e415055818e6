package accord_test

import (
	"testing"

	"natsaccord/accord"
)

// times is how many timestamps the sets of TestMeet are about.
const times = 4

func instant(hlc int) accord.TxnID {
	return accord.TxnID{Timestamp: accord.Timestamp{HLC: uint64(hlc), Kind: accord.KindWrite, Node: 1}}
}

// allDeps returns every set of few transactions, above every floor.
func allDeps() (all []accord.Deps) {
	for floor := range times + 1 {
		for set := range 1 << times {
			var ids []accord.TxnID
			for i := range times {
				if set>>i&1 == 1 {
					ids = append(ids, instant(i+1))
				}
			}
			all = append(all, accord.NewDeps(instant(floor).Timestamp, ids))
		}
	}
	return all
}

// TestMeet checks that two sets together lack what either lacks, and nothing else.
func TestMeet(t *testing.T) {
	for _, d := range allDeps() {
		for _, e := range allDeps() {
			both := d.Meet(e)
			for i := range times {
				r := instant(i + 1)
				if got, want := both.Lacks(r), d.Lacks(r) || e.Lacks(r); got != want {
					t.Fatalf("%v meets %v: lacks %v is %v, want %v", d, e, r, got, want)
				}
			}
		}
	}
}
