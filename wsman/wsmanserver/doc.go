// Package wsmanserver serves WS-Management as WinRM does: listeners that
// follow the configuration, authentication and message encryption, the
// configuration tree, CIM over any cim.Opener, and remote shells.
//
// One request passes the gates in the order of docs/architecture.md: the
// listener and its filters, the number of connections, size and time and
// scheme before proof, the identity, the right to the resource, the quota of
// operations; then a resource handler answers. Nothing below knows HTTP.
package wsmanserver
