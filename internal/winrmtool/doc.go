// Package winrmtool is the winrm command as a library: it reads a command line
// as Windows' own winrm does, carries it out over a WS-Management client, and
// prints the answer as text, XML or indented XML.
//
// Run is the whole command. What it needs from outside, connections and the
// client's settings, comes through Connector; what quickconfig changes on this
// machine is behind QuickConfig.
package winrmtool
