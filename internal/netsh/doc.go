// Package netsh is the part of Windows' netsh that configures the firewall, without its command line: `netsh advfirewall`
// and the older `netsh firewall`, over the rules and profiles of package firewall in the hive. A line is read whole and
// checked before anything changes, and changes everything or nothing. See spec/wmi.md 1.2 and 1.3.
package netsh
