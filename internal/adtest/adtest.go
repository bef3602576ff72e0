// Package adtest runs an Active Directory domain for tests of several packages: a domain controller of Samba with
// users, groups and service principals, on a loopback address of its own. It is not part of the product.
package adtest

import (
	"strconv"
	"strings"

	"github.com/casementhq/casement/security"
)

// What every domain is made of.
const (
	Realm   = "CORP.TEST" // of Kerberos
	NetBIOS = "CORP"
	DNSName = "corp.test"
	// Password is that of every user, of the Administrator, and of the computers.
	Password = "Casement-1pass"

	// Alice is a member of the group Operators, Bob of none, Adam of Domain Admins. Delia may not be delegated, and Doris, of Operators,
	// is disabled.
	Alice, Bob, Adam, Delia, Doris = "alice", "bob", "adam", "delia", "doris"
	// Operators is a global group of the domain.
	Operators = "Operators"

	// Server is a computer with the service principals HTTP, WSMAN, HOST, RPCSS and RestrictedKrbHost of the names server
	// and server.corp.test, trusted for delegation. Client is another computer, which has HOST, RestrictedKrbHost and
	// RPCSS.
	Server, Client = "server", "client"
)

// Domain is a running domain controller.
type Domain struct {
	// Address is that of the controller: KDC on port 88, LDAP on 389, RPC on 135.
	Address string
	// Controller is its name in DNS, which nobody resolves.
	Controller string
	// Krb5Conf is a configuration file of Kerberos that names the KDC.
	Krb5Conf string
	// SID is the domain's.
	SID security.SID

	dir    string
	sids   map[string]security.SID
	stop   func()
	member *Member
}

// Member is a machine that has joined the domain: it has an account there and a winbind of its own, which the name service switch asks, too.
// It is this machine in a view of the file system of its own, where the socket of that winbind, /etc/hosts, /etc/group and /etc/nsswitch.conf
// are those of a member. The users nobody and casement may ask winbind for keys of sessions.
type Member struct {
	pid  int // of a process that is there
	stop func()
}

// Enter is what stands before the command line of a program that runs on the member. Its folder is the root.
func (m *Member) Enter() []string {
	return []string{"nsenter", "--mount=/proc/" + strconv.Itoa(m.pid) + "/ns/mnt"}
}

// SIDOf is the SID of a user, a group or a computer.
func (d *Domain) SIDOf(account string) security.SID { return d.sids[strings.ToLower(account)] }

// Keytab is the path of a keytab of a computer: its account, and its service principals, with keys of AES and RC4.
func (d *Domain) Keytab(computer string) string { return d.dir + "/" + computer + ".keytab" }

// Env is the environment in which programs of others find the domain, with a credential cache.
func (d *Domain) Env(ccache string) []string {
	return []string{"KRB5_CONFIG=" + d.Krb5Conf, "KRB5CCNAME=FILE:" + ccache}
}
