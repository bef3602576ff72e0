// Package wsmanbench measures the WinRM service and its client beside their
// peers: net/http with a canned answer, encoding/xml, and masterzen/winrm.
// Everything is in its tests and benchmarks. Each side runs in a process of its
// own, so that processor time, allocations and memory are told apart; the
// figures are compared within one run. docs/performance.md keeps them.
package wsmanbench
