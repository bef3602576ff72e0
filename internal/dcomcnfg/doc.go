// Package dcomcnfg is DCOMCNFG without its window: it shows and changes who may
// launch, activate, call and configure what this machine offers over DCOM, and at
// which port. What it writes are the registry values of Windows; who is asked for
// permission by them is settings.DCOM. See spec/wmi.md 1.5.
package dcomcnfg
