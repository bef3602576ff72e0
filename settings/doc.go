// Package settings gives typed, validated views of the registry: the WinRM
// configuration with its listeners, certificate mappings, plug-ins and security table,
// the UAC and CIMOM switches of remote management, and the permissions and endpoints of
// DCOM.
//
// It does no I/O. It reads a registry snapshot through Reader and returns the Changes
// that a write needs; the caller applies them in one registry update. Each value knows
// its default, its range and its source: Group Policy over local over default.
package settings
