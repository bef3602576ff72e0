// Package wsmanclient is the client side of WinRM: the operations of
// WS-Management, remote shells, and cim.Session over them.
//
// New makes a Client for one endpoint and never connects; what is wrong shows
// at the first operation. A Client keeps a pool of connections, each of which
// authenticates once and seals on its own, so that a parked Receive holds up
// nobody. The raw level (Get, Put, Create, Delete, Invoke, Enumerate) carries
// XML as it is; Session gives typed CIM; CreateShell runs commands.
//
// The client obeys the settings that Options.Settings gives: TrustedHosts,
// AllowUnencrypted and the switches of the schemes. See [MS-WSMV] 3.2.
package wsmanclient
