// Package wmitool are the tools of WMI without their command lines: mofcomp,
// winmgmt and the security page of wmimgmt.msc. They work over a cim.Session, so
// that they reach this machine and others alike.
package wmitool
