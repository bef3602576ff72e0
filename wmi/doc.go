// Package wmi names what both ends of the Windows Management Instrumentation Remote Protocol have to agree on and what users of it write: interface and
// class identifiers, flags, authentication and impersonation levels, authorities, privileges, monikers and network resources.
//
// See [MS-WMI] and docs/dcom.md. The client is wmi/wmiclient, the server wmi/wmiserver.
package wmi
