package security

import (
	"fmt"
	"strings"
)

// Well-known SIDs that code of this module names. The whole table of aliases is behind ParseSIDAlias.
// See [MS-DTYP] 2.4.2.4.
var (
	SIDNull                   = mustSID(0, 0)
	SIDEveryone               = mustSID(1, 0)
	SIDLocal                  = mustSID(2, 0)
	SIDConsoleLogon           = mustSID(2, 1)
	SIDCreatorOwner           = mustSID(3, 0)
	SIDCreatorGroup           = mustSID(3, 1)
	SIDOwnerRights            = mustSID(3, 4)
	SIDDialup                 = mustSID(5, 1)
	SIDNetwork                = mustSID(5, 2)
	SIDBatch                  = mustSID(5, 3)
	SIDInteractive            = mustSID(5, 4)
	SIDService                = mustSID(5, 6)
	SIDAnonymous              = mustSID(5, 7)
	SIDPrincipalSelf          = mustSID(5, 10)
	SIDAuthenticatedUsers     = mustSID(5, 11)
	SIDRestrictedCode         = mustSID(5, 12)
	SIDThisOrganization       = mustSID(5, 15)
	SIDLocalSystem            = mustSID(5, 18)
	SIDLocalService           = mustSID(5, 19)
	SIDNetworkService         = mustSID(5, 20)
	SIDAdministrators         = mustSID(5, 32, 544)
	SIDUsers                  = mustSID(5, 32, 545)
	SIDGuests                 = mustSID(5, 32, 546)
	SIDPowerUsers             = mustSID(5, 32, 547)
	SIDPerformanceMonitors    = mustSID(5, 32, 558)
	SIDDistributedCOMUsers    = mustSID(5, 32, 562)
	SIDEventLogReaders        = mustSID(5, 32, 573)
	SIDRemoteManagementUsers  = mustSID(5, 32, 580)
	SIDNTLMAuthentication     = mustSID(5, 64, 10)
	SIDSChannelAuthentication = mustSID(5, 64, 14)
	SIDLocalAccount           = mustSID(5, 113)
	SIDLocalAccountAdmin      = mustSID(5, 114)
	SIDLowIntegrity           = mustSID(16, 4096)
	SIDMediumIntegrity        = mustSID(16, 8192)
	SIDHighIntegrity          = mustSID(16, 12288)
	SIDSystemIntegrity        = mustSID(16, 16384)
)

// Relative identifiers that every machine or domain has. See [MS-DTYP] 2.4.2.4.
const (
	RIDAdministrator = 500
	RIDGuest         = 501
	RIDDomainAdmins  = 512
	RIDDomainUsers   = 513
)

// Domains tells which domains the relative SDDL aliases (DA, LA, EA, …) belong to. Without the one that an
// alias needs, the alias can neither be read nor printed.
type Domains struct {
	// Domain is the domain of the machine, for DA, DU, DC and their kin. Default: none.
	Domain SID
	// Root is the root domain of the forest, for EA, SA and RO. Default: Domain.
	Root SID
	// Machine is the machine itself, for LA and LG. Default: none.
	Machine SID
}

// base returns the domain for a kind of relative alias.
func (d Domains) base(kind aliasKind) SID {
	switch {
	case kind == relMachine:
		return d.Machine
	case kind == relRoot && !d.Root.IsZero():
		return d.Root
	default:
		return d.Domain
	}
}

type aliasKind uint8

const (
	absolute aliasKind = iota
	relDomain
	relRoot
	relMachine
)

// alias is one row of the table of SDDL aliases: an absolute SID, or a RID in a domain.
type alias struct {
	token string
	kind  aliasKind
	sid   SID
	rid   uint32
}

// aliases is the table of [MS-DTYP] 2.5.1.1, and the tokens AP, AS, EK, KA, SS that Windows has besides.
var aliases = []alias{
	{"DA", relDomain, SID{}, 512}, {"DG", relDomain, SID{}, 514}, {"DU", relDomain, SID{}, 513},
	{"ED", absolute, mustSID(5, 9), 0}, {"DD", relDomain, SID{}, 516}, {"DC", relDomain, SID{}, 515},
	{"BA", absolute, SIDAdministrators, 0}, {"BG", absolute, SIDGuests, 0}, {"BU", absolute, SIDUsers, 0},
	{"LA", relMachine, SID{}, 500}, {"LG", relMachine, SID{}, 501},
	{"AO", absolute, mustSID(5, 32, 548), 0}, {"BO", absolute, mustSID(5, 32, 551), 0},
	{"PO", absolute, mustSID(5, 32, 550), 0}, {"SO", absolute, mustSID(5, 32, 549), 0},
	{"AU", absolute, SIDAuthenticatedUsers, 0}, {"PS", absolute, SIDPrincipalSelf, 0},
	{"CO", absolute, SIDCreatorOwner, 0}, {"CG", absolute, SIDCreatorGroup, 0},
	{"SY", absolute, SIDLocalSystem, 0}, {"PU", absolute, SIDPowerUsers, 0}, {"WD", absolute, SIDEveryone, 0},
	{"RE", absolute, mustSID(5, 32, 552), 0}, {"IU", absolute, SIDInteractive, 0},
	{"NU", absolute, SIDNetwork, 0}, {"SU", absolute, SIDService, 0}, {"RC", absolute, SIDRestrictedCode, 0},
	{"WR", absolute, mustSID(5, 33), 0}, {"AN", absolute, SIDAnonymous, 0},
	{"SA", relRoot, SID{}, 518}, {"CA", relDomain, SID{}, 517}, {"RS", relDomain, SID{}, 553},
	{"EA", relRoot, SID{}, 519}, {"PA", relDomain, SID{}, 520}, {"RU", absolute, mustSID(5, 32, 554), 0},
	{"LS", absolute, SIDLocalService, 0}, {"NS", absolute, SIDNetworkService, 0},
	{"RD", absolute, mustSID(5, 32, 555), 0}, {"NO", absolute, mustSID(5, 32, 556), 0},
	{"MU", absolute, SIDPerformanceMonitors, 0}, {"LU", absolute, mustSID(5, 32, 559), 0},
	{"IS", absolute, mustSID(5, 32, 568), 0}, {"CY", absolute, mustSID(5, 32, 569), 0},
	{"OW", absolute, SIDOwnerRights, 0}, {"ER", absolute, SIDEventLogReaders, 0}, {"RO", relRoot, SID{}, 498},
	{"CD", absolute, mustSID(5, 32, 574), 0}, {"AC", absolute, mustSID(15, 2, 1), 0},
	{"RA", absolute, mustSID(5, 32, 575), 0}, {"ES", absolute, mustSID(5, 32, 576), 0},
	{"MS", absolute, mustSID(5, 32, 577), 0}, {"UD", absolute, mustSID(5, 84, 0, 0, 0, 0, 0), 0},
	{"HA", absolute, mustSID(5, 32, 578), 0}, {"CN", relDomain, SID{}, 522},
	{"AA", absolute, mustSID(5, 32, 579), 0}, {"RM", absolute, SIDRemoteManagementUsers, 0},
	{"LW", absolute, SIDLowIntegrity, 0}, {"ME", absolute, SIDMediumIntegrity, 0},
	{"MP", absolute, mustSID(16, 8448), 0}, {"HI", absolute, SIDHighIntegrity, 0},
	{"SI", absolute, SIDSystemIntegrity, 0},
	{"AP", relDomain, SID{}, 525}, {"KA", relDomain, SID{}, 526}, {"EK", relRoot, SID{}, 527},
	{"AS", absolute, mustSID(18, 1), 0}, {"SS", absolute, mustSID(18, 2), 0},
}

var (
	aliasByToken = make(map[string]alias, len(aliases))
	aliasBySID   = make(map[SID]string, len(aliases))
)

func init() {
	for _, a := range aliases {
		aliasByToken[a.token] = a
		if a.kind == absolute {
			aliasBySID[a.sid] = a.token
		}
	}
}

// ParseSIDAlias reads a SID in its text form or as a two-letter SDDL alias such as BA. An alias of a domain
// needs that domain in d. Errors match ErrBadSID. See [MS-DTYP] 2.5.1.1.
func ParseSIDAlias(text string, d Domains) (SID, error) {
	if len(text) != 2 {
		return ParseSID(text)
	}
	a, ok := aliasByToken[strings.ToUpper(text)]
	if !ok {
		return SID{}, fmt.Errorf("%w: %q is not an SDDL alias", ErrBadSID, text)
	}
	if a.kind == absolute {
		return a.sid, nil
	}
	base := d.base(a.kind)
	if base.IsZero() {
		return SID{}, fmt.Errorf("%w: alias %s needs a domain and none is known; write the SID out", ErrBadSID, a.token)
	}
	return base.WithRID(a.rid), nil
}

// Alias returns the two-letter SDDL alias of s, or the empty string when it has none. An alias of a domain is
// found only with that domain in d.
func (s SID) Alias(d Domains) string {
	if t, ok := aliasBySID[s]; ok || s.count == 0 {
		return t
	}
	domain := s.Domain()
	for _, a := range aliases {
		if a.kind != absolute && a.rid == s.RID() && !domain.IsZero() && d.base(a.kind) == domain {
			return a.token
		}
	}
	return ""
}

// wellKnownNames gives the English account names of Windows for SIDs that need no lookup in a store.
var wellKnownNames = map[SID][2]string{
	SIDNull: {"", "NULL SID"}, SIDEveryone: {"", "Everyone"}, SIDLocal: {"", "LOCAL"},
	SIDConsoleLogon: {"", "CONSOLE LOGON"}, SIDCreatorOwner: {"", "CREATOR OWNER"},
	SIDCreatorGroup: {"", "CREATOR GROUP"}, SIDOwnerRights: {"", "OWNER RIGHTS"},
	SIDDialup: {"NT AUTHORITY", "DIALUP"}, SIDNetwork: {"NT AUTHORITY", "NETWORK"},
	SIDBatch: {"NT AUTHORITY", "BATCH"}, SIDInteractive: {"NT AUTHORITY", "INTERACTIVE"},
	SIDService: {"NT AUTHORITY", "SERVICE"}, SIDAnonymous: {"NT AUTHORITY", "ANONYMOUS LOGON"},
	SIDPrincipalSelf:          {"NT AUTHORITY", "SELF"},
	SIDAuthenticatedUsers:     {"NT AUTHORITY", "Authenticated Users"},
	SIDRestrictedCode:         {"NT AUTHORITY", "RESTRICTED"},
	SIDThisOrganization:       {"NT AUTHORITY", "This Organization"},
	SIDLocalSystem:            {"NT AUTHORITY", "SYSTEM"},
	SIDLocalService:           {"NT AUTHORITY", "LOCAL SERVICE"},
	SIDNetworkService:         {"NT AUTHORITY", "NETWORK SERVICE"},
	SIDNTLMAuthentication:     {"NT AUTHORITY", "NTLM Authentication"},
	SIDSChannelAuthentication: {"NT AUTHORITY", "SChannel Authentication"},
	SIDLocalAccount:           {"NT AUTHORITY", "Local account"},
	SIDLocalAccountAdmin:      {"NT AUTHORITY", "Local account and member of Administrators group"},
	SIDAdministrators:         {"BUILTIN", "Administrators"}, SIDUsers: {"BUILTIN", "Users"},
	SIDGuests: {"BUILTIN", "Guests"}, SIDPowerUsers: {"BUILTIN", "Power Users"},
	SIDPerformanceMonitors:   {"BUILTIN", "Performance Monitor Users"},
	SIDDistributedCOMUsers:   {"BUILTIN", "Distributed COM Users"},
	SIDEventLogReaders:       {"BUILTIN", "Event Log Readers"},
	SIDRemoteManagementUsers: {"BUILTIN", "Remote Management Users"},
	SIDLowIntegrity:          {"Mandatory Label", "Low Mandatory Level"},
	SIDMediumIntegrity:       {"Mandatory Label", "Medium Mandatory Level"},
	SIDHighIntegrity:         {"Mandatory Label", "High Mandatory Level"},
	SIDSystemIntegrity:       {"Mandatory Label", "System Mandatory Level"},
}

// WellKnownName returns the English domain and account name of a well-known SID, for example BUILTIN and
// Administrators. The domain is empty for names that Windows shows without one.
func WellKnownName(s SID) (domain, name string, ok bool) {
	n, ok := wellKnownNames[s]
	return n[0], n[1], ok
}

// WellKnownSID finds a well-known SID by its English name, without case, with or without its domain
// (Everyone, NT AUTHORITY\NETWORK, BUILTIN\Users, Administrators).
func WellKnownSID(name string) (SID, bool) {
	domain, account, found := strings.Cut(name, `\`)
	if !found {
		domain, account = "", name
	}
	for s, n := range wellKnownNames {
		if strings.EqualFold(n[1], account) && (!found || strings.EqualFold(n[0], domain)) {
			return s, true
		}
	}
	return SID{}, false
}
