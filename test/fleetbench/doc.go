// Package fleetbench measures Casement's clients with thousands of hosts of
// internal/fleetsim, beside a bare net/http client and beside pywinrm. It has
// tests and benchmarks only. Simulator and clients run in processes of their
// own, so that processor time and memory are told apart.
package fleetbench
