// Package load puts measured load on an event store, or on anything else that takes requests.
//
// [Run] starts requests either in a closed loop, the next one when one is done, or in an open one, at the times
// they were intended to start whatever becomes of those before. What an open loop measures counts from the
// intended time, so that a store that stalls is charged for every request that would have come meanwhile.
//
// [Workload] makes the requests: appends to streams of one's own, to few hot ones or by Zipf's law, transactions
// over several streams, and reads of each consistency.
package load
