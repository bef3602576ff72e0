package netsh

import (
	"slices"
	"strings"
)

// isHelp tells whether a line asks for the syntax; netsh alone does too.
func isHelp(args []string) bool {
	return len(args) == 0 || slices.ContainsFunc([]string{"?", "/?", "-?", "help", "--help", "-h"}, func(s string) bool {
		return strings.EqualFold(args[len(args)-1], s)
	})
}

// Help is the syntax.
const Help = `netsh reads and changes the firewall of this service: its rules, groups of rules and profiles, with
the commands of Windows. A running service follows at once; connections that stand stay. Case does
not count, keywords may be shortened, and blanks around the sign of equality are joined.

  netsh advfirewall firewall show rule name=all|NAME [dir=in|out] [profile=...] [type=static|dynamic] [verbose]
  netsh advfirewall firewall set rule group="GROUP" new enable=yes|no
  netsh advfirewall firewall set rule name="NAME"|all [CRITERIA] new FIELDS
  netsh advfirewall firewall add rule name="NAME" dir=in|out action=allow|block [FIELDS]
  netsh advfirewall firewall delete rule name="NAME"|all [CRITERIA]

  netsh advfirewall show allprofiles|currentprofile|domainprofile|privateprofile|publicprofile [state|firewallpolicy]
  netsh advfirewall set  allprofiles|... state on|off|notconfigured
  netsh advfirewall set  allprofiles|... firewallpolicy blockinbound|blockinboundalways|allowinbound|notconfigured,allowoutbound|blockoutbound|notconfigured
  netsh advfirewall reset           the rules and settings of a new installation: every built-in rule is off

  netsh firewall add portopening TCP|UDP PORT NAME [ENABLE|DISABLE]      the older form
  netsh firewall delete portopening TCP|UDP PORT

FIELDS    program=PATH service=NAME|any description=TEXT enable=yes|no (default yes)
          profile=domain|private|public|any, with commas between (default any)
          localip=, remoteip=  any, addresses, ranges, subnets; remoteip also localsubnet, dns, dhcp,
                               wins, defaultgateway
          protocol=tcp|udp|icmpv4[:TYPE,CODE]|icmpv6[:TYPE,CODE]|0-255|any (default any)
          localport=, remoteport=  any, ports, ranges; localport also RPC, RPC-EPMap. They need TCP or UDP
          interfacetype=wireless|lan|ras|any edge=yes|deferapp|deferuser|no security=notrequired
          behind new also: name= dir= action=
CRITERIA  dir= profile= program= service= localip= remoteip= localport= remoteport= protocol=
          All of them must hold; profile= means exactly these profiles, but in show any of them.
          type=dynamic shows only rules that are in force on the present profile.

Rules of Group Policy are shown with their source, and are changed in the policy. Changes take the
owner of the state folder, or root.

--state DIR   the state folder (default: $CASEMENT_STATE, else that of 'casement up')

Examples:
  netsh advfirewall firewall set rule group="windows management instrumentation (wmi)" new enable=yes
  netsh advfirewall firewall add rule dir=in name="WMI" program=%systemroot%\system32\svchost.exe service=winmgmt action=allow protocol=TCP localport=any
  netsh advfirewall firewall delete rule name="WMI"
  netsh advfirewall set allprofiles firewallpolicy blockinbound,blockoutbound
  casement cmd          a prompt in which backslashes need no quotes

Exit codes: 0 done, 1 refused, nothing found, or a wrong line; then everything is as it was.
`
