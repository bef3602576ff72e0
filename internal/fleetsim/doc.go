// Package fleetsim simulates thousands of Windows Remote Management hosts in one
// process, for tests and benchmarks. Each host is a whole WinRM server of its
// own, with listeners on a loopback address of its own, real NTLM and sealing;
// accounts, settings and the object manager with its fixtures are shared. Some
// may be dead, slow or hostile.
package fleetsim
