// Package interop runs other people's programs, unpatched and pinned, against the real binary: `casement up` in a state folder of
// its own, on loopback, on free ports, as whoever runs the tests and, where that is root, also as an ordinary user. What each
// program must see comes from the host (hostname, os-release, uname, /proc), never from Casement. The programs are pywinrm, pypsrp
// and requests from .venv (`make test` makes it), masterzen/winrm from the module in masterzen, and curl. A program that is absent
// is a visible skip; with CASEMENT_CI=1 it is a failure. impacket, go-msrpc (from the module in gomsrpc) and smbtorture use WMI over
// DCOM; most of them insist on port 135, so the service that they use, and they, have a network of their own, which takes root. tshark
// judges what is sent there. In a domain of Samba the service is a computer with a keytab, or runs on a machine that joined it, with a winbind and a
// name service switch of its own. Samba's raw_protocol and smbtorture judge dcerpc alone, too. In the other direction our client speaks to a
// server made of pyspnego and pypsrp, which passes on what it has read, and to the services of a domain controller of Samba, and signs in by
// Digest at lighttpd.
package interop
