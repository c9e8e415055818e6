package dashboard

import "github.com/prometheus/client_golang/prometheus"

// named is how one of the counters in a node's status is called in metrics.
type named struct {
	counter      string // in the status
	name, help   string
	label, value string // one label besides the node; empty: none
	gauge        bool
}

func (n named) kind() prometheus.ValueType {
	if n.gauge {
		return prometheus.GaugeValue
	}
	return prometheus.CounterValue
}

// name returns how a counter of that name in a node's status is called. One that is new is not left out for it.
func name(counter string, known map[string]named) named {
	if n, ok := known[counter]; ok {
		return n
	}
	return named{counter: counter, name: "accord_" + counter + "_total", help: unnamed}
}

// unnamed is all there is to say about a counter that has no name here.
const unnamed = "A counter of the node's status."

// byCounter returns the names by what stands in the status.
func byCounter() map[string]named {
	known := make(map[string]named)
	for _, group := range [][]named{ofConsensus(), ofRecovery(), ofMessages(), ofMemory(), ofStore(), ofFrames(), ofDrops(), ofLog()} {
		for _, n := range group {
			known[n.counter] = n
		}
	}
	return known
}

func ofConsensus() []named {
	const (
		decisions, ofDecisions = "accord_decisions_total", "Transactions decided by this node, by the path they took; invalidated ones did not happen."
		rounds, ofRounds       = "accord_rounds_total", "Rounds that this node made beyond the first, by kind."
		fences, ofFences       = "accord_fences_total", "Fences that this node made."
	)
	return []named{
		{counter: "fast", name: decisions, help: ofDecisions, label: "path", value: "fast"},
		{counter: "slow", name: decisions, help: ofDecisions, label: "path", value: "slow"},
		{counter: "recovered", name: decisions, help: ofDecisions, label: "path", value: "recovered"},
		{counter: "invalidated", name: decisions, help: ofDecisions, label: "path", value: "invalidated"},
		{counter: "accepts", name: rounds, help: ofRounds, label: "phase", value: "accept"},
		{counter: "commits", name: rounds, help: ofRounds, label: "phase", value: "commit"},
		{counter: "fence_accepts", name: rounds, help: ofRounds, label: "phase", value: "fence_accept"},
		{counter: "submitted", name: "accord_transactions_submitted_total", help: "Transactions that this node proposed."},
		{counter: "applied", name: "accord_transactions_applied_total", help: "Transactions, of all nodes, that this node's store has applied."},
		{counter: "fences", name: fences, help: ofFences},
		{counter: "exclusive_fences", name: "accord_exclusive_fences_total", help: "Fences that this node made so that what is over can be forgotten."},
		{counter: "fence_fetches", name: "accord_fence_fetches_total", help: "Transactions that this node had to fetch because a fence named them."},
		{counter: "watermarks", name: "accord_frontier_moves_total", help: "Times that this node's frontier moved."},
		{counter: "turned_away", name: "accord_appends_turned_away_total", help: "Appends refused without a transaction, because they were certain to lose."},
	}
}

func ofRecovery() []named {
	return []named{
		{counter: "recoveries", name: "accord_recoveries_total", help: "Attempts to finish a transaction on behalf of another node."},
		{counter: "inquiries", name: "accord_inquiries_total", help: "Times that this node asked what became of a transaction."},
		{counter: "preempted", name: "accord_preempted_total", help: "Attempts to decide that were lost to another node's."},
		{counter: "ruled_out", name: "accord_fast_paths_ruled_out_total", help: "Recoveries that ruled out the fast path by evidence alone (mode G)."},
		{counter: "waits", name: "accord_recovery_waits_total", help: "Recoveries that waited for other transactions (mode G)."},
		{counter: "catch_ups", name: "accord_catch_ups_total", help: "Times that this node took over another's log."},
		{counter: "forgotten", name: "accord_settled_elsewhere_total", help: "Transactions that this node proposed and others settled without it."},
	}
}

func ofMessages() []named {
	const (
		answers, ofAnswers   = "accord_answers_ignored_total", "Answers of other nodes that came too late or twice."
		distrust, ofDistrust = "accord_messages_distrusted_total", "Messages, or what they asked for, that this node did not believe or not do."
	)
	return []named{
		{counter: "messages_sent", name: "accord_messages_sent_total", help: "Messages of the protocol to other nodes."},
		{counter: "resent", name: "accord_resends_total", help: "Rounds of messages that were sent again, because answers were missing."},
		{counter: "late", name: answers, help: ofAnswers, label: "reason", value: "late"},
		{counter: "doubled", name: answers, help: ofAnswers, label: "reason", value: "doubled"},
		{counter: "strangers", name: distrust, help: ofDistrust, label: "reason", value: "stranger"},
		{counter: "clock_skews", name: distrust, help: ofDistrust, label: "reason", value: "clock_skew"},
		{counter: "refused", name: distrust, help: ofDistrust, label: "reason", value: "refused"},
		{counter: "unspread", name: "accord_decisions_unspread_total", help: "Decisions that were not sent to a node any more, because too many waited; it learns of them otherwise."},
	}
}

func ofMemory() []named {
	return []named{
		{counter: "txns_held", name: "accord_transactions_held", help: "Transactions whose record is in memory.", gauge: true},
		{counter: "txns_live", name: "accord_transactions_live", help: "Of the transactions held, those that new ones are compared with.", gauge: true},
		{counter: "txns_kept", name: "accord_transactions_kept", help: "Of the transactions held, those that are over and kept for nodes that may still ask.", gauge: true},
		{counter: "tombstones", name: "accord_tombstones", help: "Transactions of which only the outcome is in memory.", gauge: true},
		{counter: "history", name: "accord_history_entries", help: "Transactions of which only the time is in memory at which they executed.", gauge: true},
		{counter: "forgets", name: "accord_forgets_total", help: "Transactions that memory was freed of."},
		{counter: "erasures", name: "accord_erasures_total", help: "Times that this node forgot what an exclusive fence had closed."},
	}
}

func ofStore() []named {
	return []named{
		{counter: "syncs", name: "accord_store_syncs_total", help: "Syncs to disk that the store and its journal made."},
		{counter: "journal_groups", name: "accord_journal_groups_total", help: "Groups of records that the journal made durable at once."},
		{counter: "store_statements", name: "accord_store_statements_total", help: "SQL statements that the database was given."},
		{counter: "store_round_trips", name: "accord_store_round_trips_total", help: "Round trips to the database."},
	}
}

func ofFrames() []named {
	const (
		frames, ofFrames     = "accord_peer_frames_total", "Frames between this node and others, each one NATS message."
		messages, ofMessages = "accord_peer_messages_total", "Messages of the protocol in frames between this node and others."
		bytes, ofBytes       = "accord_peer_bytes_total", "Bytes of frames between this node and others."
	)
	return []named{
		{counter: "bus_sent_frames", name: frames, help: ofFrames, label: "direction", value: "sent"},
		{counter: "bus_received_frames", name: frames, help: ofFrames, label: "direction", value: "received"},
		{counter: "bus_sent_messages", name: messages, help: ofMessages, label: "direction", value: "sent"},
		{counter: "bus_received_messages", name: messages, help: ofMessages, label: "direction", value: "received"},
		{counter: "bus_sent_bytes", name: bytes, help: ofBytes, label: "direction", value: "sent"},
		{counter: "bus_received_bytes", name: bytes, help: ofBytes, label: "direction", value: "received"},
		{counter: "nats_disconnects", name: "accord_nats_disconnects_total", help: "Times that a connection to NATS was lost."},
		{counter: "nats_reconnects", name: "accord_nats_reconnects_total", help: "Times that a connection to NATS came back."},
		{counter: "nats_errors", name: "accord_nats_errors_total", help: "Errors that NATS reported, slow consumers included."},
		{counter: "nats_slow_consumers", name: "accord_nats_slow_consumers_total", help: "Times that NATS reported that this node does not keep up with what it is sent."},
		{counter: "nats_lame_ducks", name: "accord_nats_lame_ducks_total", help: "Times that a NATS server said that it is going away."},
	}
}

func ofDrops() []named {
	drops := []named{{counter: "dropped", value: "no_room"}, {counter: "bus_refused_by_peer", value: "refused_by_peer"}}
	for _, reason := range []string{
		"queue_full", "slow_consumer", "not_connected", "too_large", "no_such_peer", "other_cluster", "other_receiver", "other_sender", "other_epoch",
		"old_incarnation", "malformed", "unknown_version",
	} {
		drops = append(drops, named{counter: "bus_dropped_" + reason, value: reason})
	}
	for i := range drops {
		drops[i].name, drops[i].label = "accord_peer_dropped_total", "reason"
		drops[i].help = "What was to go to or came from other nodes and was dropped: frames or, where they were not in one yet, messages. The protocol sends again what matters."
	}
	return drops
}

func ofLog() []named {
	return []named{
		{counter: "digest_hashed", name: "accord_digest_hashed_events_total", help: "Events hashed for the first time."},
		{counter: "digest_scrubbed", name: "accord_digest_scrubbed_events_total", help: "Events read again and compared with their digests."},
		{counter: "digest_passes", name: "accord_digest_passes_total", help: "Times that the whole log was read again."},
		{counter: "live_events", name: "accord_live_events_total", help: "Events published on NATS by this node."},
		{counter: "live_batches", name: "accord_live_batches_total", help: "Batches in which events were published."},
		{counter: "live_failures", name: "accord_live_failures_total", help: "Batches of events that could not be published, and are tried again."},
		{counter: "live_takeovers", name: "accord_live_takeovers_total", help: "Times that this node took over publishing."},
	}
}
