package bus

import "sync/atomic"

// counter names one of the numbers that Peers keeps.
type counter int

const (
	sentFrames counter = iota
	sentMessages
	sentBytes
	receivedFrames
	receivedMessages
	receivedBytes
	dropQueueFull
	dropUnread
	dropNotConnected
	dropTooLarge
	dropNoSuchPeer
	dropOtherCluster
	dropOtherReceiver
	dropOtherSender
	dropOtherEpoch
	dropOldIncarnation
	dropMalformed
	dropUnknownVersion
	refusedByPeer
	counterEnd
)

// counters are safe for concurrent use.
type counters [counterEnd]atomic.Uint64

func (c *counters) add(name counter, n int) { c[name].Add(uint64(n)) }

// snapshot returns the counters by the names they have in metrics.
func (c *counters) snapshot() map[string]uint64 {
	names := [counterEnd]string{
		sentFrames: "sent_frames", sentMessages: "sent_messages", sentBytes: "sent_bytes",
		receivedFrames: "received_frames", receivedMessages: "received_messages", receivedBytes: "received_bytes",
		dropQueueFull: "dropped_queue_full", dropUnread: "dropped_slow_consumer", dropNotConnected: "dropped_not_connected", dropTooLarge: "dropped_too_large",
		dropNoSuchPeer: "dropped_no_such_peer", dropOtherCluster: "dropped_other_cluster",
		dropOtherReceiver: "dropped_other_receiver", dropOtherSender: "dropped_other_sender",
		dropOtherEpoch: "dropped_other_epoch", dropOldIncarnation: "dropped_old_incarnation",
		dropMalformed: "dropped_malformed", dropUnknownVersion: "dropped_unknown_version",
		refusedByPeer: "refused_by_peer",
	}
	m := make(map[string]uint64, counterEnd)
	for i := range c {
		m[names[i]] = c[i].Load()
	}
	return m
}
