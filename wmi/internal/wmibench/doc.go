// Package wmibench measures how WMI's objects and replies are read and written, beside go-msrpc, which does the same work on the same octets in a
// process of its own. Everything is in its benchmarks; the figures are compared within one run.
package wmibench
