// Package iwbem holds the arguments of every method of the Windows Management Instrumentation Remote Protocol: for a method X the
// types XRequest and XResponse, which both ends write and read, and its operation number OpX. Methods whose arguments are the same share
// one type under several names.
//
// What the methods mean is wmiclient's and wmiserver's to know. Objects and contexts stay the bytes that travel, shared with the stub they
// were read from, until someone asks for them. ORPCTHIS and ORPCTHAT around the arguments are package dcom's.
//
// See [MS-WMI] 3.1.4 and its appendix A.
package iwbem
