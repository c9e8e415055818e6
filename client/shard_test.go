package client_test

import (
	"fmt"
	"slices"
	"testing"

	"natsaccord/client"
	"natsaccord/event"
)

// TestShardsAreFrozen: acknowledgements stand under these keys. If this fails, events would be handled by shards that
// have never seen them, and passed over by those that have.
func TestShardsAreFrozen(t *testing.T) {
	for _, c := range []struct {
		key        string
		of2, of3   int
		of16, of64 int
	}{
		{"", 2, 3, 6, 38},
		{"a", 1, 2, 13, 13},
		{"account.7", 2, 3, 4, 20},
		{"customer-1", 2, 3, 8, 24},
		{"ü", 1, 1, 11, 43},
	} {
		got := []int{}
		for _, n := range []int{2, 3, 16, 64} {
			got = append(got, client.ShardOf(event.Event{RoutingKey: c.key}, n))
		}
		if want := []int{c.of2, c.of3, c.of16, c.of64}; !slices.Equal(got, want) {
			t.Errorf("%q: got the shards %v, want %v", c.key, got, want)
		}
	}
	with, without := event.Event{Stream: "account.7", RoutingKey: "eu"}, event.Event{Stream: "account.7"}
	if client.ShardOf(without, 1000) != client.ShardOf(event.Event{RoutingKey: "account.7"}, 1000) || client.ShardOf(with, 1000) == client.ShardOf(without, 1000) {
		t.Error("the stream does not stand in for a missing routing key, or for one that is there")
	}
	if got := []string{client.ShardKey("mailer", 1, 1), client.ShardKey("mailer", 3, 8)}; !slices.Equal(got, []string{"mailer", "mailer/3-of-8"}) {
		t.Errorf("got the keys %q", got)
	}
}

func TestShardsAreEven(t *testing.T) {
	const shards, keys = 8, 8000
	counts := make([]int, shards+1)
	for i := range keys {
		counts[client.ShardOf(event.Event{Stream: event.Stream(fmt.Sprintf("account.%d", i))}, shards)]++
	}
	if slices.Min(counts[1:]) < keys/shards*8/10 || slices.Max(counts) > keys/shards*12/10 || counts[0] != 0 {
		t.Errorf("%d keys are spread %v", keys, counts)
	}
}
