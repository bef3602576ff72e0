// Package cimtest is the conformance suite of cim.Session: what a program may
// expect of a session, whichever path to a host it takes. [Run] checks one
// path; [Transcript] writes its answers down, and [Compare] finds where the
// answers of two paths differ, but for what [LostByWSMan]
// and [LostByDCOM] list.
//
// The suite works on classes of its own ([Classes], [Instances], [Methods]),
// which the test serves behind the path in namespace [Namespace].
package cimtest
