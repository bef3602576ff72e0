// Package cim is the model that everything else in Casement speaks: CIM types
// and values, classes with qualifiers, instances, object paths, status codes,
// and the [Session] interface that the object manager, the WinRM client and
// the DCOM client all implement.
//
// The package knows no transport and does no I/O. Names and numbers follow
// [MS-WMI] and [MS-WMIO]; [Status] is WBEMSTATUS.
package cim
