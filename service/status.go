package service

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/internal/gpedit"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

// StatusLine is one fact about who may manage this machine.
type StatusLine struct {
	Place  string // what it is about
	Item   string
	Value  string
	Source string // Default, Hive or GPO; "" where that says nothing
}

// The four places that may need a change before another machine can open a namespace,
// under the names of "Setting up a remote WMI connection".
const (
	PlaceFirewall = "Windows Firewall"
	PlaceUAC      = "UAC"
	PlaceDCOM     = "DCOM"
	PlaceCIMOM    = "CIMOM"
)

// status collects the lines.
type status struct {
	state *State
	live  *settings.Snapshot
	tree  *registry.Tree
	lines []StatusLine
}

func (s *status) add(place, item, value, source string) {
	s.lines = append(s.lines, StatusLine{place, item, value, source})
}

// Status tells who may manage this machine, and why, but for the namespaces, whose
// permissions are in the object manager. A service need not run.
func (s *State) Status(ctx context.Context) []StatusLine {
	tree := s.Hive.Snapshot()
	st := &status{state: s, live: s.Snapshot(), tree: tree}
	st.machine(ctx)
	st.listeners()
	st.schemes()
	st.callers()
	st.policies()
	st.firewall()
	st.uac()
	st.dcom()
	return st.lines
}

func shownSource(src registry.Source) string {
	if src == registry.SourceNone {
		return "Default"
	}
	return src.String()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (s *status) machine(ctx context.Context) {
	const place = "Machine"
	role := string(s.state.Role())
	if role == "" {
		role = "none"
	}
	s.add(place, "Role", role, "")
	running := "no; 'casement serve' starts it"
	if answers(ctx, filepath.Join(s.state.Dir, socketName)) {
		running = "yes"
	}
	s.add(place, "Service runs", running, "")
	r := RemoteManagementOf(s.live)
	value := "disabled. "
	if r.Enabled {
		value = "enabled. "
	}
	s.add(place, "Remote management", value+r.Why, r.Source)
	for _, l := range r.Limits {
		s.add(place, "Remote management", l, "")
	}
}

func (s *status) listeners() {
	const place = "Listeners"
	v4, _ := settings.ParseIPv4Filter(s.live.WinRM.Service.IPv4Filter) // one that is wrong lets nothing through
	v6, _ := settings.ParseIPv6Filter(s.live.WinRM.Service.IPv6Filter)
	host := s.state.Host()
	for _, l := range s.live.Listeners {
		on := []string{}
		for _, a := range l.ListeningOn(host, v4, v6) {
			on = append(on, a.String())
		}
		value := "on " + strings.Join(on, ", ")
		switch {
		case !l.Enabled:
			value = "not enabled"
		case len(on) == 0:
			value = "on no address: none of this machine passes IPv4Filter and IPv6Filter"
		}
		s.add(place, fmt.Sprintf("%s %s %d", l.Address, l.Transport, l.Port), value, shownSource(l.Source))
	}
	if len(s.live.Listeners) == 0 {
		s.add(place, "WinRM", "none", "")
	}
}

func (s *status) schemes() {
	a := s.live.WinRM.Service.Auth
	for _, t := range []struct {
		name string
		on   bool
	}{{"Basic", a.Basic}, {"Kerberos", a.Kerberos}, {"Negotiate", a.Negotiate}, {"Certificate", a.Certificate}, {"CredSSP", a.CredSSP}} {
		s.add("Authentication", t.name, onOff(t.on), shownSource(s.live.WinRM.Source("Service/Auth/"+t.name)))
	}
	s.add("Authentication", "AllowUnencrypted", onOff(s.live.WinRM.Service.AllowUnencrypted), shownSource(s.live.WinRM.Source("Service/AllowUnencrypted")))
}

// callers are those whom WinRM admits: by RootSDDL, and by the group for the WMI plug-in.
func (s *status) callers() {
	const place = "WinRM users"
	src := shownSource(s.live.WinRM.Source("Service/RootSDDL"))
	sd, err := security.ParseSDDL(s.live.WinRM.Service.RootSDDL)
	if err != nil {
		s.add(place, "RootSDDL", "damaged: nobody is admitted", src)
		return
	}
	for _, sid := range trustees(sd) {
		var rights []string
		for _, r := range []struct {
			name string
			mask uint32
		}{{"Read", security.GenericRead}, {"Write", security.GenericWrite}, {"Invoke", security.GenericExecute}} {
			if _, err := security.AccessCheck(sd, memberOf(sid), r.mask, security.GenericMapping{}); err == nil {
				rights = append(rights, r.name)
			}
		}
		if len(rights) > 0 {
			s.add(place, s.name(sid), strings.Join(rights, ", ")+" by RootSDDL", src)
		}
	}
	s.add(place, "WinRMRemoteWMIUsers__", "WMI resources, by membership of this group", "Default")
}

// trustees are the accounts that a descriptor names, each once.
func trustees(sd *security.SecurityDescriptor) []security.SID {
	var list []security.SID
	if sd == nil || sd.DACL == nil {
		return nil
	}
	for _, e := range sd.DACL.ACEs {
		if !slices.Contains(list, e.SID) {
			list = append(list, e.SID)
		}
	}
	return list
}

// memberOf is the token of somebody who signed in over the network and is an account, or
// a member of a group. Everyone and the anonymous have proven nothing.
func memberOf(sid security.SID) *security.Token {
	if sid == security.SIDEveryone || sid == security.SIDAnonymous {
		return &security.Token{User: sid}
	}
	return &security.Token{User: sid, Groups: []security.GroupEntry{{SID: security.SIDEveryone}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDNetwork}}}
}

func (s *status) name(sid security.SID) string {
	if domain, name, ok := security.WellKnownName(sid); ok {
		if domain != "" {
			return domain + `\` + name
		}
		return name
	}
	return s.state.Accounts.AccountName(sid)
}

func (s *status) policies() {
	file := s.state.Hive.Policy()
	n := 0
	for _, p := range gpedit.Policies() {
		set := p.Read(file)
		if set.State == gpedit.NotConfigured {
			continue
		}
		n++
		value := set.State.String()
		for _, o := range set.Options {
			value += ", " + o.Name + "=" + o.Text
		}
		if set.Damage != "" {
			value += ", damaged: " + set.Damage
		}
		folder := p.Folder[strings.LastIndexByte(p.Folder, '\\')+1:]
		s.add("Policies", folder+`\`+p.Name, value, registry.SourceGPO.String())
	}
	if n == 0 {
		s.add("Policies", "Group Policy", "none is in force", "")
	}
}

func (s *status) firewall() {
	profile := firewall.Present(s.tree)
	set, _ := firewall.LoadSettings(s.tree, profile) // what is damaged counts as its closed form
	s.add(PlaceFirewall, "Network profile", profile.String(), "")
	s.add(PlaceFirewall, "State", onOff(set.Enabled), shownSource(set.Sources[firewall.SettingState]))
	if set.Shielded {
		s.add(PlaceFirewall, "Exceptions", "none are permitted", shownSource(set.Sources[firewall.SettingShielded]))
	}
	for _, l := range s.live.Listeners {
		if l.Enabled && !isLoopback(l.Address) {
			s.add(PlaceFirewall, fmt.Sprintf("WinRM %s %d", l.Transport, l.Port), s.admitted(profile, firewall.WinRM(), uint16(l.Port)), "") // #nosec G115 -- a port
		}
	}
	s.add(PlaceFirewall, "DCOM 135", s.admitted(profile, firewall.EndpointMapper(), 135), "")
	s.add(PlaceFirewall, "WMI", s.admitted(profile, firewall.WMI(), wmiPort(s.live.DCOM.WMI.Port)), "")
	rules, _ := firewall.Effective(s.tree, profile)
	for _, g := range []string{firewall.GroupWinRM, firewall.GroupWMI} {
		on, all := 0, 0
		for _, r := range rules {
			if strings.EqualFold(r.Group, g) {
				if all++; r.Active {
					on++
				}
			}
		}
		s.add(PlaceFirewall, "Group "+g, fmt.Sprintf("%d of %d rules are on", on, all), "")
	}
}

// wmiPort is the port of WMI, or some dynamic one.
func wmiPort(p uint16) uint16 {
	if p == 0 {
		return 49152
	}
	return p
}

// admitted says whom the firewall lets in to a part of this machine: the rules that do,
// with their addresses.
func (s *status) admitted(profile firewall.Profile, part firewall.Part, port uint16) string {
	v := s.verdict(part, port, "")
	if v.Why != firewall.ByRule && v.Allowed {
		return "any machine: " + v.String()
	}
	rules, _ := firewall.Effective(s.tree, profile)
	var who []string
	for _, r := range rules {
		if !r.Active || r.Dir != firewall.In || r.Action != firewall.Allow {
			continue
		}
		from := r.RemoteAddrs
		if len(from) == 0 {
			from = []string{""}
		}
		var let []string
		for _, a := range from {
			if v := s.verdict(part, port, a); v.Allowed && v.Rule == r.ID {
				let = append(let, a)
			}
		}
		switch {
		case len(let) == 1 && let[0] == "":
			who = append(who, fmt.Sprintf("any machine by %q", r.Name))
		case len(let) > 0:
			who = append(who, fmt.Sprintf("%s by %q", strings.Join(let, ", "), r.Name))
		}
	}
	if len(who) == 0 {
		return "no other machine: " + v.String()
	}
	return strings.Join(who, "; ")
}

// verdict asks the filter about a connection from an address as a rule names it: an
// address, the first of a range or prefix, a word for the local subnet, or "" for some
// other network. The addresses are those of documentation.
func (s *status) verdict(part firewall.Part, port uint16, from string) firewall.Verdict {
	local, remote := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	first, _, _ := strings.Cut(from, "-")
	first, _, _ = strings.Cut(first, "/")
	if a, err := netip.ParseAddr(first); err == nil {
		remote = a
		if a.Is6() {
			local = netip.MustParseAddr("2001:db8::1")
		}
	} else if strings.HasPrefix(strings.ToLower(from), "localsubnet") {
		remote = netip.MustParseAddr("192.0.2.2")
	}
	filter := firewall.Compile(s.tree, func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	return filter.Verdict(firewall.Traffic{Dir: firewall.In, Part: part, Local: netip.AddrPortFrom(local, port), Remote: netip.AddrPortFrom(remote, 50000)})
}

func (s *status) uac() {
	_, src, _ := s.tree.Value(settings.KeyUAC, "LocalAccountTokenFilterPolicy")
	value := "off: local administrators are administrators over the network too (LocalAccountTokenFilterPolicy 1)"
	if s.live.FilterTokens {
		value = "on: over the network no local administrator but the built-in one is an administrator (LocalAccountTokenFilterPolicy 0)"
	}
	s.add(PlaceUAC, "Remote token filter", value, shownSource(src))
}

func (s *status) dcom() {
	d := s.live.DCOM
	_, src, _ := s.tree.Value(settings.KeyOle, "EnableDCOM")
	s.add(PlaceDCOM, "EnableDCOM", onOff(d.Enabled), shownSource(src))
	address := "on no address"
	switch {
	case d.Address == "*":
		address = "on all addresses"
	case d.Address != "":
		address = "on " + d.Address
	}
	port := "a dynamic port"
	if d.WMI.Port != 0 {
		port = "port " + strconv.Itoa(int(d.WMI.Port))
	}
	_, src, _ = s.tree.Value(settings.KeyCasement, "DCOMAddress")
	s.add(PlaceDCOM, "Listens", address+", port 135 and "+port, shownSource(src))
	for _, t := range []struct {
		item       string
		limit, app *settings.Permission
		check      func(*security.Token) error
	}{
		{"Remote launch and activation", &d.LaunchLimit, &d.WMI.Launch, d.CheckActivation},
		{"Remote access", &d.AccessLimit, &d.WMI.Access, d.CheckAccess},
	} {
		var who []string
		for _, sid := range append(trustees(t.limit.Descriptor), trustees(t.app.Descriptor)...) {
			if name := s.name(sid); !slices.Contains(who, name) && t.check(memberOf(sid)) == nil {
				who = append(who, name)
			}
		}
		value := strings.Join(who, ", ")
		switch {
		case t.check(memberOf(security.SIDAuthenticatedUsers)) == nil:
			value = "every account (Authenticated Users)"
		case value == "":
			value = "nobody"
		}
		s.add(PlaceDCOM, t.item, value, shownSource(max(t.limit.Source, t.app.Source)))
	}
}

// Rights in a namespace. See spec/wmi.md 1.4.
const (
	wbemEnable       = 0x01
	wbemRemoteEnable = 0x20
)

// NamespaceStatus tells who may open a namespace from another machine: whom its
// descriptor gives Enable Account and Remote Enable.
func (s *State) NamespaceStatus(namespace string, sd *security.SecurityDescriptor) StatusLine {
	st := &status{state: s}
	var who []string
	for _, sid := range trustees(sd) {
		if _, err := security.AccessCheck(sd, memberOf(sid), wbemEnable|wbemRemoteEnable, security.GenericMapping{}); err == nil {
			who = append(who, st.name(sid))
		}
	}
	value := "Remote Enable: " + strings.Join(who, ", ")
	if len(who) == 0 {
		value = "Remote Enable: nobody"
	}
	return StatusLine{PlaceCIMOM, namespace, value, ""}
}
