// Package wmiserver is the WMI service on DCOM: the interfaces of [MS-WMI] over any [cim.Opener]. It cannot tell what stands behind
// that opener, and asks it for every access.
//
// An operation is written once, as a function over a cim.Session (get.go, put.go, query.go, ...), and delivered in one of three ways:
// at once, through an enumerator or a call result (semisynchronous), or into a sink of the caller (async.go). methods.go is the table
// of the methods with the flags that each accepts.
//
// What the service may dial and with which identity, when it calls a client back, is decided in callback.go and nowhere else.
package wmiserver
