// Package krb5 is the Kerberos mechanism of the GSS-API, both ends: tokens, the protection of messages, and what Windows adds to them.
// Tickets and their cryptography are gokrb5's; framing, flags, bindings, the exchange and its messages are here, because no Go library
// does both ends. See [RFC4120], [RFC4121], [RFC4757], [MS-KILE] and [MS-PAC].
//
// A client: [NewClient] has a password, a keytab or a credential cache and fetches tickets; [NewInitiator] makes one exchange of them.
// A service: [LoadKeytab] has its keys, [NewReplays] remembers what was presented, [NewAcceptor] judges one exchange. Both ends always
// authenticate, the service too, where the client asks for it; ours always asks.
//
// A [Session] seals what goes over HTTP with the sizes of Windows and what goes over RPC in DCE style with those of RPC.
package krb5
