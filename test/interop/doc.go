// Package interop runs other people's programs, unpatched and pinned, against the real binary: `casement up` in a state folder of
// its own, on loopback, on free ports. What each program must see comes from the host (hostname, os-release, uname, /proc), never
// from Casement. The programs are pywinrm and pypsrp from .venv (`make test` makes it), masterzen/winrm from the module in
// masterzen, and curl. A program that is absent is a visible skip; with CASEMENT_CI=1 it is a failure.
package interop
