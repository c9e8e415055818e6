package event_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

func TestPartID(t *testing.T) {
	const txn = "000000000pgfguom9p8g2001"
	for part, want := range map[int]string{0: txn, 1: txn + "-1", 63: txn + "-63"} {
		if got := event.PartID(txn, part); got != want {
			t.Errorf("part %d: got %s, want %s", part, got, want)
		}
		if id, number := event.SplitPartID(want); id != txn || number != part {
			t.Errorf("%s: got %s and %d", want, id, number)
		}
	}
	for _, id := range []string{"", "-", txn + "-", txn + "-0", txn + "-01", txn + "--1", txn + "-x", txn + "-1-1", "request-1x"} {
		if whole, part := event.SplitPartID(id); whole != id || part != 0 {
			t.Errorf("%q: got %q and %d, want it whole", id, whole, part)
		}
	}
}

// TestBundleJoinsEncodings compares what encoded commands are joined to with the encoding of the bundle.
func TestBundleJoinsEncodings(t *testing.T) {
	bundle := samples()["bundle"]
	var parts [][]byte
	var keys []string
	for _, command := range bundle.Bundle {
		parts = append(parts, encode(t, command))
		keys = append(keys, command.Keys()...)
	}
	joined := event.Bundle(parts)
	if want := encode(t, bundle); !bytes.Equal(joined, want) {
		t.Errorf("got %x, want %x", joined, want)
	}
	if n, one := event.CountCommands(joined), event.CountCommands(parts[0]); n != 2 || one != 1 {
		t.Errorf("counted %d and %d commands, want 2 and 1", n, one)
	}
	if got := bundle.Keys(); !slices.IsSorted(got) || !slices.Equal(got, slices.Compact(slices.Sorted(slices.Values(keys)))) {
		t.Errorf("got keys %q, want %q", got, keys)
	}
	if b, err := (event.Command{Bundle: []event.Command{samples()["claim"], samples()["claim"]}}).MarshalBinary(); err == nil {
		t.Errorf("a bundle of claims encodes to %x", b)
	}
}

// TestCommandsOfABundleSeeThoseBefore evaluates a bundle: each command stands behind the ones before it in the log, and is
// judged by what they left.
func TestCommandsOfABundleSeeThoseBefore(t *testing.T) {
	s := event.State{Heads: map[event.Stream]event.Head{}, Requests: map[string]event.Request{}, Taken: map[ulid.ULID]bool{}}
	at := event.Moment{TxnID: "t", ExecuteAt: "0123456789abcdefghijklmn", Time: time.Unix(0, 0)}
	var got []string
	for i, events := range [][]event.Event{
		{{ID: ulid.ULID{1}, Stream: "a", Version: 1}, {ID: ulid.ULID{2}, Stream: "b"}},
		{{ID: ulid.ULID{3}, Stream: "a", Version: 1}}, // has lost
		{{ID: ulid.ULID{4}, Stream: "a", Version: 2}},
	} {
		at.TxnID = event.PartID("t", i)
		v := s.Evaluate(event.Command{Append: &event.Append{RequestID: fmt.Sprint(i), Events: events}}, at)
		at.First += len(v.Events)
		for _, e := range v.Events {
			got = append(got, fmt.Sprint(e.Stream, " ", e.Version, " ", e.Position, " ", e.TxnID))
		}
		if v.Outcome.Committed == (i == 1) {
			t.Errorf("command %d: got %+v", i, v.Outcome)
		}
	}
	want := []string{"a 1 0123456789abcdefghijklmn0000 t", "b 1 0123456789abcdefghijklmn0001 t", "a 2 0123456789abcdefghijklmn0002 t-2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
