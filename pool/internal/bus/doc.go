// Package bus keeps the pool's keys and values, its tasks, and tells what
// changes: JetStream, in this process and without a port, or on a cluster. It is
// the only importer of NATS.
//
// A folder has one holder at a time: the process that has its lock runs the
// server. Others come by the socket in the folder, and the next of them takes
// the folder over when the holder ends; their calls wait meanwhile. See
// docs/pool.md, docs/adr/0009.
package bus
