// Package pool manages many machines: which there are, how each is reached and
// as whom, what state it is in and why, and work on any number of them.
//
// Its store, queue and results are JetStream, in the process and without a port
// by default, or a cluster that several processes share. See docs/pool.md for
// the flow of a refresh and of an action, spec/console.md 3 for the states.
package pool
