// Package cimom is the CIM object manager of this process: namespaces, the
// classes that providers serve and those that users stored, and sessions in
// which a caller reads, changes and calls them and is told of events. [New]
// makes a [Manager], which implements cim.Opener; a transport in front of it
// needs to know nothing else.
//
// Every call is checked against the security descriptor of its namespace. A
// provider that panics or hangs harms the operation that called it and no
// other.
//
// docs/objects.md tells how the parts work together. See [MS-WMI] 3.1 and spec/wmi.md 2, 4 and 5.7.
package cimom
