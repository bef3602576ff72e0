// Package netfirewall shows the firewall rules of this machine as MSFT_NetFirewallRule in root\standardcimv2, and lets
// administrators switch them. The rules are those of package firewall: what the registry says who may reach the
// listeners of the service. It adds none and removes none.
package netfirewall
