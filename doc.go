// Package natsaccord is the root of an event store without a leader. It holds no code: the README says how to run
// it, and the tests here hold rules that concern the whole module.
package natsaccord
