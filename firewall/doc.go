// Package firewall keeps the rules and rule groups of Windows Firewall in the hive, in
// the strings that Windows uses there, and knows the built-in groups of remote
// management. It stores and answers questions; who enforces the rules is another matter.
package firewall
