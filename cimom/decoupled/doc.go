// Package decoupled lets providers live in processes of their own. The service
// speaks with them over a stream (a Unix socket for providers of other people,
// a pair of pipes for the provider host of a user) in lines of JSON;
// docs/providers.md describes the protocol for writers of providers in any
// language, and examples/ has providers in two.
//
// One connection serves one operation at a time. That makes a provider a loop
// of read a request, write the answers; backpressure, cancellation and the end
// of a hanging provider are those of the connection.
//
// [Serve] is the provider's side. [Registrar] accepts providers for a service,
// [PerUser] starts them.
package decoupled
