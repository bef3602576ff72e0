// Package dcerpc is the connection engine of connection-oriented remote procedure calls, [C706] chapter 12 with the extensions of
// [MS-RPCE], for both ends: [Conn] calls, [Server] answers.
//
// It reads and writes fragments, negotiates presentation contexts (an interface with NDR 2.0 or NDR64) and security contexts (an
// identity and a level of protection), and carries stubs. What is in a stub is the business of the packages above, which read and write
// it with internal/ndr. It opens no connection but the one that was asked for, knows no object and no account: an acceptor that it was given
// proves identities, and a [Security] has a place for what its owner makes of one.
//
// A fault ends a call. What a peer does wrong as a peer (a malformed fragment, a signature that does not match) ends the connection.
package dcerpc
