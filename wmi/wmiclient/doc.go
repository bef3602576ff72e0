// Package wmiclient is the client of WMI over DCOM: cim.Session over IWbemServices.
//
// New makes a Client for one host and never connects. Client.Open logs in to a namespace; ConnectServer does both with the parameters that
// scripts know. A Session may be used by many goroutines. Every call on every object carries the client's credentials and its level.
// Enumerations are semisynchronous: a page of objects is on its way while the one before it is used, as packets in which a class travels
// once (IWbemWCOSmartEnum) where the host has them, and a context that ends loses nothing.
//
// See [MS-WMI] 3.2 and docs/dcom.md.
package wmiclient
