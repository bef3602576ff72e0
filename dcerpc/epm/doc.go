// Package epm is the endpoint mapper, which tells on port 135 at what port an interface is served: [C706] appendix O with the changes of
// [MS-RPCE] 2.2.1.2. [Mapper] is the server, [Map] and [Lookup] ask one.
package epm

import "github.com/casementhq/casement/dcerpc"

// ID is the interface.
var ID = dcerpc.Syntax("e1af8308-5d1f-11c9-91a4-08002b14a0fa", 3, 0)

// Operations.
const (
	opInsert     = 0
	opDelete     = 1
	opLookup     = 2
	opMap        = 3
	opFree       = 4
	opInqObject  = 5
	opMgmtDelete = 6
)

// Statuses that operations return beside Win32 errors. See [MS-RPCE] 2.2.1.2.4.
const (
	statusCannot        = 0x16C9A0CD
	statusNotRegistered = 0x16C9A0D6
)

const (
	maxEntries    = 500  // that one call may ask for
	maxTower      = 2000 // octets
	maxAnnotation = 64   // with its terminator
)
