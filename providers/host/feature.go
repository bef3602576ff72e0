package host

import (
	"context"
	"os"
	"path/filepath"

	"github.com/casementhq/casement/cim"
)

// serverRole is a role that the product documentation numbers, and the services of Linux that do the same.
type serverRole struct {
	id, parent uint32
	name       string
	units      []string
}

// serverRoles: only what a client of the role could use in the same way, over the same protocol.
var serverRoles = []serverRole{
	{2, 0, "Web Server", []string{"apache2", "httpd", "nginx", "lighttpd", "caddy"}},
	{6, 0, "File Services", []string{"smbd", "smb", "nfs-server", "nfs-kernel-server"}},
	{255, 6, "File Server", []string{"smbd", "smb"}},
	{105, 6, "Services for Network File System", []string{"nfs-server", "nfs-kernel-server"}},
	{7, 0, "Print Services", []string{"cups"}},
	{136, 7, "Internet Printing", []string{"cups"}},
	{10, 0, "Active Directory Domain Services", []string{"samba-ad-dc"}},
	{12, 0, "DHCP Server", []string{"isc-dhcp-server", "dhcpd", "kea-dhcp4-server", "kea-dhcp4"}},
	{13, 0, "DNS Server", []string{"named", "bind9", "pdns", "nsd", "knot"}},
	{20, 0, "Virtualization", []string{"libvirtd", "virtqemud"}},
	{48, 0, "SMTP Server", []string{"postfix", "exim4", "exim", "opensmtpd"}},
	{59, 0, "SNMP Service", []string{"snmpd"}},
}

// unitDirs are where units of the system are installed.
var unitDirs = []string{"etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}

type roleRow struct {
	*serverRole
	programs string
}

var serverFeatureTable = &table[roleRow]{name: "Win32_ServerFeature", gather: gatherRoles, columns: []column[roleRow]{
	{name: "ID", get: func(r *roleRow) cim.Value { return cim.U32(r.id) }},
	{name: "ParentID", get: func(r *roleRow) cim.Value { return cim.U32(r.parent) }},
	{name: "Name", get: func(r *roleRow) cim.Value { return cim.Str(r.name + " (" + r.programs + ")") }},
}}

// gatherRoles gives the roles for which a server is installed. Its name says which one, so that nobody takes it for
// the one of Windows.
func gatherRoles(_ context.Context, p *Provider, _ uint32, _ query, f func(*roleRow) error) error {
	for i := range serverRoles {
		r := roleRow{serverRole: &serverRoles[i]}
		for _, unit := range r.units {
			if !p.unitInstalled(unit) {
				continue
			}
			if r.programs != "" {
				r.programs += ", "
			}
			r.programs += unit
		}
		if r.programs == "" {
			continue
		}
		if err := f(&r); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) unitInstalled(name string) bool {
	for _, dir := range unitDirs {
		// A link names another unit (an alias) or nothing (a masked one).
		if st, err := os.Lstat(filepath.Join(p.root, dir, name+".service")); err == nil && st.Mode().IsRegular() {
			return true
		}
	}
	st, err := os.Stat(filepath.Join(p.root, "etc/init.d", name)) // a machine without systemd
	return err == nil && st.Mode().IsRegular()
}

// nothing is a class that this machine has no instance of.
type nothing struct{}

func none(name string) *table[nothing] {
	return &table[nothing]{name: name, gather: func(context.Context, *Provider, uint32, query, func(*nothing) error) error { return nil }}
}

// optionalFeatureTable: nothing of Linux is switched on and off as these are; what is installed is in Win32_Product.
var optionalFeatureTable = none("Win32_OptionalFeature")

// licensingTable: a licence of Windows is nothing that a Linux machine could have.
var licensingTable = none("SoftwareLicensingProduct")
