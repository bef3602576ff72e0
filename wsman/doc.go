// Package wsman is the message layer of WS-Management ([MS-WSMV], DSP0226):
// endpoint references, headers, faults and the messages of each operation,
// without a transport. Client and server share it.
//
// Decode reads an envelope in two stages. It reads the header and stops at
// the first element of the body, so that a service can refuse a request
// before it spends work on the body; the typed readers (ReadEnumerate,
// ReadPullResponse and so on) read the rest. Encode writes an envelope with
// the prefixes that Windows uses.
//
// Instances of CIM classes and configuration stay XML here: they are read
// from, and written to, the package's streaming codec by whoever knows them.
package wsman
