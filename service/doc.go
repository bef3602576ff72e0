// Package service puts a Casement machine together: the state folder, the
// object manager with its providers, the WinRM service and what they need from
// each other. It is the one package that knows both sides; see
// docs/architecture.md.
package service
