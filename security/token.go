package security

import (
	"slices"
)

// LogonType says how a caller came in.
type LogonType uint8

// The logon types that matter here. The zero value is a network logon.
const (
	LogonNetwork LogonType = iota
	LogonInteractive
	LogonService
	LogonBatch
)

// Privilege is the name of a Windows privilege.
type Privilege string

// Privileges that this module looks at, and those that a filtered token keeps.
const (
	SeSecurity           Privilege = "SeSecurityPrivilege"
	SeTakeOwnership      Privilege = "SeTakeOwnershipPrivilege"
	SeBackup             Privilege = "SeBackupPrivilege"
	SeRestore            Privilege = "SeRestorePrivilege"
	SeDebug              Privilege = "SeDebugPrivilege"
	SeShutdown           Privilege = "SeShutdownPrivilege"
	SeRemoteShutdown     Privilege = "SeRemoteShutdownPrivilege"
	SeLoadDriver         Privilege = "SeLoadDriverPrivilege"
	SeSystemEnvironment  Privilege = "SeSystemEnvironmentPrivilege"
	SeSystemtime         Privilege = "SeSystemtimePrivilege"
	SeTimeZone           Privilege = "SeTimeZonePrivilege"
	SeChangeNotify       Privilege = "SeChangeNotifyPrivilege"
	SeUndock             Privilege = "SeUndockPrivilege"
	SeIncreaseWorkingSet Privilege = "SeIncreaseWorkingSetPrivilege"
	SeImpersonate        Privilege = "SeImpersonatePrivilege"
)

// GroupEntry is one group of a token.
type GroupEntry struct {
	SID SID
	// DenyOnly says that the group counts for entries that deny, and never for one that grants.
	DenyOnly bool
}

// Token says who a caller is, for access checks: the authorization context of [MS-DTYP] 2.5.2. Its zero value is
// nobody: it matches no entry at all. A token is not changed after it was made.
type Token struct {
	User SID
	// UserName and Domain are for people; no check reads them.
	UserName, Domain string
	// Realm is the Kerberos realm of an account of a domain, where one vouched for it.
	Realm string
	// Groups are all groups, also Everyone and the like.
	Groups     []GroupEntry
	Privileges []Privilege
	// Filtered says that Filter took rights away (User Account Control).
	Filtered  bool
	LogonType LogonType
}

// Has reports whether the token contains sid as its user or as an enabled group; it is SidInToken of [MS-DTYP]
// 2.5.3.1.1 for entries that grant.
func (t *Token) Has(sid SID) bool { return t.contains(sid, false) }

// HasForDeny is Has, but deny-only groups count too: for entries that deny or audit.
func (t *Token) HasForDeny(sid SID) bool { return t.contains(sid, true) }

func (t *Token) contains(sid SID, denyToo bool) bool {
	if sid.IsZero() {
		return false
	}
	if t.User == sid {
		return true
	}
	for i := range t.Groups {
		if t.Groups[i].SID == sid && (denyToo || !t.Groups[i].DenyOnly) {
			return true
		}
	}
	return false
}

// HasPrivilege reports whether the token holds p.
func (t *Token) HasPrivilege(p Privilege) bool { return slices.Contains(t.Privileges, p) }

// filteredGroups are the groups that a filtered token keeps for denial only: those that administer the machine.
var filteredGroups = []SID{
	SIDAdministrators, SIDLocalAccountAdmin, SIDPowerUsers,
	mustSID(5, 32, 548), mustSID(5, 32, 549), mustSID(5, 32, 550), mustSID(5, 32, 551), // operators
	mustSID(5, 32, 554), mustSID(5, 32, 556), mustSID(5, 32, 569), // compatible access, network, cryptography
}

// filteredRIDs are groups of a domain with the same effect: the administrators of domain, schema, enterprise
// and policy, controllers, publishers of certificates.
var filteredRIDs = []uint32{512, 516, 517, 518, 519, 520, 498, 553}

// keptPrivileges are all that a filtered token may keep.
var keptPrivileges = []Privilege{SeChangeNotify, SeShutdown, SeUndock, SeIncreaseWorkingSet, SeTimeZone}

// Filter returns the copy of t that User Account Control gives to an administrator who has not been elevated:
// Administrators and its like become deny-only, and only harmless privileges stay. A token without such a group
// comes back as an equal copy, with Filtered as it was.
func Filter(t Token) Token {
	out := t
	out.Groups = slices.Clone(t.Groups)
	out.Privileges = slices.Clone(t.Privileges)
	changed := false
	for i := range out.Groups {
		if g := &out.Groups[i]; isFilteredGroup(g.SID) && !g.DenyOnly {
			g.DenyOnly, changed = true, true
		}
	}
	if changed {
		out.Filtered = true
		out.Privileges = slices.DeleteFunc(out.Privileges, func(p Privilege) bool {
			return !slices.Contains(keptPrivileges, p)
		})
	}
	return out
}

func isFilteredGroup(s SID) bool {
	if slices.Contains(filteredGroups, s) {
		return true
	}
	inDomain := s.authority == 5 && s.count == 5 && s.sub[0] == 21
	return inDomain && slices.Contains(filteredRIDs, s.RID())
}
