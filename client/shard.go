package client

import (
	"fmt"
	"hash/fnv"

	"natsaccord/event"
)

// ShardOf returns which of n shards an event belongs to, from 1 to n: the 64-bit FNV-1a hash of its routing key, or
// of its stream if it has none, modulo n, plus one. This is fixed for ever: acknowledgements depend on it.
func ShardOf(e event.Event, n int) int {
	key := e.RoutingKey
	if key == "" {
		key = string(e.Stream)
	}
	h := fnv.New64a()
	h.Write([]byte(key)) // never fails
	return int(h.Sum64()%uint64(n)) + 1
}

// ShardKey names the subscriber of a shard: <name>/<shard>-of-<n>, or the name itself if there is one shard only.
func ShardKey(name string, shard, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s/%d-of-%d", name, shard, n)
}
