// Package answerfile reads the answer file of an unattended installation, unattend.xml: the
// settings of it that this machine has. The file is checked as a whole before any of it
// counts. Nothing of other components is kept but their names, since they hold passwords.
package answerfile

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
)

// Names of the format.
const (
	namespace      = "urn:schemas-microsoft-com:unattend"
	componentWSMan = "Microsoft-Windows-Web-Services-for-Management-Core"
	componentFW    = "Networking-MPSSVC-Svc"
)

// passes are the configuration passes in which our components count.
var passes = []string{"specialize", "oobeSystem"}

// allPasses are those that there are.
var allPasses = []string{"windowsPE", "offlineServicing", "generalize", "specialize", "auditSystem", "auditUser", "oobeSystem"}

// Answers is what a file says.
type Answers struct {
	// RemoteManagement is EnableServerRemoteManagement; nil where it is not there.
	RemoteManagement *bool
	// Firewall is EnableFirewall of each profile that is there.
	Firewall map[firewall.Profile]bool
	// Groups are the FirewallGroup entries of groups that this machine has.
	Groups []Group
	// Ignored are components, settings and groups that mean nothing here, by name.
	Ignored []string
}

// Group switches a group of rules for some profiles.
type Group struct {
	Name     string // as the firewall shows it
	Profiles firewall.Profile
	Active   bool
}

// Parse reads and checks a file. An error says where it is wrong; nothing of it may be used
// then.
func Parse(r io.Reader) (*Answers, error) {
	root, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("answer file: %w", err)
	}
	a := &Answers{Firewall: map[firewall.Profile]bool{}}
	if err := a.root(root); err != nil {
		return nil, fmt.Errorf("answer file: %w", err)
	}
	return a, nil
}

func wrong(e *element, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", e.line, fmt.Sprintf(format, args...))
}

func (a *Answers) ignore(name string) {
	if !slices.Contains(a.Ignored, name) {
		a.Ignored = append(a.Ignored, name)
	}
}

func (a *Answers) root(root *element) error {
	if !root.is("unattend") {
		return wrong(root, "the root is %s of %q, want unattend of %q", clip(root.name.Local), clip(root.name.Space), namespace)
	}
	for _, e := range root.kids {
		if !e.is("settings") {
			a.ignore(clip(e.name.Local)) // servicing, offlineImage
			continue
		}
		pass := e.attr("pass")
		if !slices.Contains(allPasses, pass) {
			return wrong(e, "%q is no configuration pass", clip(pass))
		}
		for _, c := range e.kids {
			if !c.is("component") {
				return wrong(c, "settings hold components, not %s", clip(c.name.Local))
			}
			if err := a.component(c, pass); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Answers) component(c *element, pass string) error {
	name := c.attr("name")
	var f func(*element) error
	switch {
	case name == "":
		return wrong(c, "a component without a name")
	case strings.EqualFold(name, componentWSMan):
		f = a.wsman
	case strings.EqualFold(name, componentFW):
		f = a.firewall
	default:
		a.ignore("component " + clip(name))
		return nil
	}
	if !slices.Contains(passes, pass) {
		return wrong(c, "%s counts in the pass specialize or oobeSystem, not in %s", name, pass)
	}
	for _, setting := range c.kids {
		if err := f(setting); err != nil {
			return err
		}
	}
	return nil
}

func (a *Answers) wsman(e *element) error {
	if !e.is("EnableServerRemoteManagement") {
		return wrong(e, "%s has no setting %s, only EnableServerRemoteManagement", componentWSMan, clip(e.name.Local))
	}
	on, err := boolean(e)
	if err != nil {
		return err
	}
	if a.RemoteManagement != nil && *a.RemoteManagement != on {
		return wrong(e, "EnableServerRemoteManagement stands twice with different values")
	}
	a.RemoteManagement = &on
	return nil
}

// profiles are the prefixes of the settings of the firewall, and the values of Profile.
var profiles = []struct {
	prefix, name string
	profile      firewall.Profile
}{
	{"DomainProfile_", "domain", firewall.Domain}, {"PrivateProfile_", "private", firewall.Private}, {"PublicProfile_", "public", firewall.Public},
	{"", "all", firewall.AllProfiles},
}

// inert are settings of the firewall that mean nothing here; those of profiles without
// their prefix.
var (
	inert        = []string{"DisableStatefulFTP", "DisableStatefulPPTP"}
	inertProfile = []string{"DisableNotifications", "LogFile", "LogFileSize", "LogDroppedPackets", "LogSuccessfulConnections"}
)

func (a *Answers) firewall(e *element) error {
	if e.is("FirewallGroups") {
		for _, g := range e.kids {
			if err := a.group(g); err != nil {
				return err
			}
		}
		return nil
	}
	for _, p := range profiles[:3] {
		if e.is(p.prefix + "EnableFirewall") {
			on, err := boolean(e)
			if err != nil {
				return err
			}
			if before, there := a.Firewall[p.profile]; there && before != on {
				return wrong(e, "%s stands twice with different values", e.name.Local)
			}
			a.Firewall[p.profile] = on
			return nil
		}
		if slices.ContainsFunc(inertProfile, func(s string) bool { return e.is(p.prefix + s) }) {
			a.ignore("setting " + e.name.Local)
			return nil
		}
	}
	if slices.ContainsFunc(inert, e.is) {
		a.ignore("setting " + e.name.Local)
		return nil
	}
	return wrong(e, "%s has no setting %s", componentFW, clip(e.name.Local))
}

func (a *Answers) group(e *element) error {
	if !e.is("FirewallGroup") {
		return wrong(e, "FirewallGroups hold FirewallGroup, not %s", clip(e.name.Local))
	}
	if action := e.attr("action"); action != "" && action != "add" && action != "modify" {
		return wrong(e, "the action %q of a firewall group is not add or modify", clip(action))
	}
	g := Group{Profiles: firewall.Domain} // the documented defaults: inactive, domain
	seen := map[string]bool{}
	for _, k := range e.kids {
		name := strings.ToLower(k.name.Local)
		if seen[name] {
			return wrong(k, "%s stands twice", clip(k.name.Local))
		}
		seen[name] = true
		var err error
		switch {
		case k.is("Active"):
			g.Active, err = boolean(k)
		case k.is("Group"):
			g.Name = strings.TrimSpace(k.text)
		case k.is("Profile"):
			g.Profiles, err = profileOf(k)
		case k.is("Key"):
		default:
			err = wrong(k, "a firewall group has no %s", clip(k.name.Local))
		}
		if err != nil {
			return err
		}
	}
	if g.Name == "" {
		return wrong(e, "a firewall group without its Group")
	}
	name, ok := groupOf(g.Name)
	if !ok {
		a.ignore("firewall group " + clip(g.Name))
		return nil
	}
	g.Name = name
	for _, o := range a.Groups {
		if o.Name == g.Name && o.Profiles&g.Profiles != 0 && o.Active != g.Active {
			return wrong(e, "the group %q is active and not active for the same profile", g.Name)
		}
	}
	a.Groups = append(a.Groups, g)
	return nil
}

// groupIDs are the resources that name groups on Windows.
var groupIDs = map[string]string{
	"@firewallapi.dll,-30267": firewall.GroupWinRM, "@firewallapi.dll,-30252": firewall.GroupWinRMCompat, "@firewallapi.dll,-34251": firewall.GroupWMI,
}

// groupOf is the built-in group that a name or the id of its resource stands for.
func groupOf(text string) (string, bool) {
	if name, ok := groupIDs[strings.ToLower(text)]; ok {
		return name, true
	}
	for _, r := range firewall.Builtin() {
		if strings.EqualFold(r.Group, text) {
			return r.Group, true
		}
	}
	return "", false
}

func profileOf(e *element) (firewall.Profile, error) {
	for _, p := range profiles {
		if strings.EqualFold(strings.TrimSpace(e.text), p.name) {
			return p.profile, nil
		}
	}
	return 0, wrong(e, "the profile %q is not all, domain, private or public", clip(strings.TrimSpace(e.text)))
}

func boolean(e *element) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(e.text)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, wrong(e, "%s is %q, want true or false", clip(e.name.Local), clip(strings.TrimSpace(e.text)))
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
