// Package static serves classes and instances that are given in memory: by Go
// code, or by JSON files ([Load]). Instances can be made, changed and removed,
// and methods are Go functions. It is what fixtures, benchmarks and simulated
// hosts are made of.
package static
