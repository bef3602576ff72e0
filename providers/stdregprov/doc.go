// Package stdregprov is the registry as WMI shows it: StdRegProv in root\default and root\cimv2, whose static methods
// read and write the hive of the state folder, and in root\default the events of its changes.
//
// Only HKEY_LOCAL_MACHINE is kept. Nothing is made up: what the hive does not hold is not found, also below
// SOFTWARE\Microsoft\Windows NT\CurrentVersion. See spec/wmi.md 8.2, row 14.
package stdregprov
