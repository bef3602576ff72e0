// Package ipmi is the IPMI provider: the classes of root\hardware and Microsoft_IPMI of root\wmi, filled by the BMCs
// (baseboard management controllers) that were added to the list of this machine: its own one behind /dev/ipmi0, and
// others over the LAN. See spec/winrm.md 8.
//
// A BMC is asked when somebody asks for its objects; there is one connection to each, used by one request at a time
// and closed when it rests. What a BMC does not tell is NULL.
package ipmi
