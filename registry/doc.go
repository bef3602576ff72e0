// Package registry keeps the HKEY_LOCAL_MACHINE hive of a Casement state folder.
//
// The hive is one human-readable file in the syntax of "Windows Registry Editor
// Version 5.00". A machine policy file (Registry.pol, see [MS-GPREG] 2.2.1) may lie
// over it: what the policy says wins, and Source tells where a value comes from.
//
// Readers work on an immutable Tree; writers change the hive in one atomic Update.
package registry
