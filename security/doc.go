// Package security holds the parts of the Windows security model that decide who may do what: security
// identifiers, access tokens, access control lists, security descriptors with their text form (SDDL), and the
// access check. It does no input or output and knows no clock.
//
// See [MS-DTYP] 2.4 and 2.5.
package security
