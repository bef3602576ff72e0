package dcomcnfg

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

// Row is one fact: a setting with its value, or one entry of a descriptor.
type Row struct {
	Setting string // name of the registry value
	Type    string // Allow or Deny; "" for a setting
	Account string // whom an entry is for
	Value   string // of a setting; the rights of an entry
	Source  string // Default, Hive or GPO
}

// The descriptors in the order of the pages.
var (
	ofMachine = []settings.COMSetting{settings.AccessLimit, settings.DefaultAccess, settings.LaunchLimit, settings.DefaultLaunch}
	ofWMI     = []settings.COMSetting{settings.WMILaunch, settings.WMIAccess, settings.WMIConfigure}
)

// titles are the captions of the descriptors on their pages.
var titles = map[settings.COMSetting]string{
	settings.AccessLimit: "Access Permissions, Edit Limits", settings.DefaultAccess: "Access Permissions, Edit Default",
	settings.LaunchLimit: "Launch and Activation Permissions, Edit Limits", settings.DefaultLaunch: "Launch and Activation Permissions, Edit Default",
	settings.WMILaunch: "Launch and Activation Permissions", settings.WMIAccess: "Access Permissions", settings.WMIConfigure: "Configuration Permissions",
}

// levels are the names of authentication levels on the page General.
var levels = [...]string{"Default", "None", "Connect", "Call", "Packet", "Packet Integrity", "Packet Privacy"}

// Machine are the facts of My Computer.
func (t *Tool) Machine() []Row {
	tree, d := t.load()
	_, enabled := tree.Get(settings.KeyOle, "EnableDCOM")
	_, level := tree.Get(settings.KeyOle, "LegacyAuthenticationLevel")
	rows := []Row{
		{Setting: "EnableDCOM", Value: yesNo(d.Enabled), Source: source(tree, settings.KeyOle, "EnableDCOM", enabled)},
		{Setting: "LegacyAuthenticationLevel", Value: levels[d.LegacyAuthenticationLevel], Source: source(tree, settings.KeyOle, "LegacyAuthenticationLevel", level)},
	}
	return t.entries(rows, d, ofMachine)
}

// WMI are the facts of the application "Windows Management Instrumentation".
func (t *Tool) WMI() []Row {
	tree, d := t.load()
	at := func(name string) string {
		_, set := tree.Get(settings.KeyWMIApplication, name)
		return source(tree, settings.KeyWMIApplication, name, set)
	}
	rows := []Row{
		{Setting: "AuthenticationLevel", Value: levels[d.WMI.Level], Source: at("AuthenticationLevel")},
		{Setting: "Endpoints", Value: endpoint(d.WMI.Port), Source: at("Endpoints")},
		{Setting: "Identity", Value: t.identity(), Source: "Default"},
	}
	return t.entries(rows, d, ofWMI)
}

func (t *Tool) load() (*registry.Tree, *settings.DCOM) {
	tree := t.Hive.Snapshot()
	d, _ := settings.LoadDCOM(tree) // what is damaged is shown as such
	return tree, d
}

func (t *Tool) entries(rows []Row, d *settings.DCOM, list []settings.COMSetting) []Row {
	for _, s := range list {
		p := d.Permission(s)
		from := shown(p.Source)
		if p.Descriptor == nil {
			rows = append(rows, Row{Setting: s.ValueName(), Value: "damaged: nobody has access", Source: from})
			continue
		}
		for _, e := range p.Descriptor.DACL.ACEs {
			row := Row{Setting: s.ValueName(), Type: "Allow", Account: t.name(e.SID), Value: formatRights(s, e.Mask), Source: from}
			switch e.Type {
			case security.AccessAllowed:
			case security.AccessDenied:
				row.Type = "Deny"
			default:
				continue // of a kind that no page shows
			}
			rows = append(rows, row)
		}
		if len(p.Descriptor.DACL.ACEs) == 0 {
			rows = append(rows, Row{Setting: s.ValueName(), Value: "nobody", Source: from})
		}
	}
	return rows
}

// View prints what the windows of DCOMCNFG show.
func (t *Tool) View(w io.Writer, machine string) error {
	_, d := t.load()
	var b strings.Builder
	line := func(depth int, format string, args ...any) {
		fmt.Fprintf(&b, strings.Repeat("  ", depth)+format+"\n", args...)
	}
	pages := func(depth int, list []settings.COMSetting) {
		for _, s := range list {
			rows := t.entries(nil, d, []settings.COMSetting{s})
			from := ""
			if len(rows) > 0 {
				from = ", " + rows[0].Source
			}
			line(depth, "%s (%s%s)", titles[s], s.ValueName(), from)
			for _, r := range rows {
				if r.Type == "" {
					line(depth+1, "%s", r.Value)
				} else {
					line(depth+1, "%-5s %-36s %s", r.Type, r.Account, r.Value)
				}
			}
		}
	}
	line(0, "Component Services")
	line(1, "Computers")
	line(2, "My Computer (%s)", machine)
	line(3, "Default Properties")
	line(4, "Enable Distributed COM on this computer: %s", yesNo(d.Enabled))
	line(4, "Default Authentication Level: %s", levels[d.LegacyAuthenticationLevel])
	line(3, "COM Security")
	pages(4, ofMachine)
	line(3, "DCOM Config")
	line(4, "Windows Management Instrumentation")
	line(5, "General")
	line(6, "Application ID: %s", settings.KeyWMIApplication[strings.LastIndexByte(settings.KeyWMIApplication, '\\')+1:])
	line(6, "Authentication Level: %s", levels[d.WMI.Level])
	line(5, "Security")
	pages(6, ofWMI)
	line(5, "Endpoints")
	line(6, "Connection-oriented TCP/IP: %s", endpoint(d.WMI.Port))
	line(5, "Identity")
	line(6, "%s", t.identity())
	_, err := io.WriteString(w, b.String())
	return err
}

// identity is as whom the application runs: the service is it.
func (t *Tool) identity() string {
	if t.User == "" {
		return "The system account (services only)"
	}
	return "The system account (services only): " + t.User
}

func yesNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

func endpoint(port uint16) string {
	if port == 0 {
		return "dynamic"
	}
	return strconv.Itoa(int(port))
}

func source(tree *registry.Tree, key, name string, set bool) string {
	if !set {
		return shown(registry.SourceNone)
	}
	return shown(tree.Source(key, name))
}

func shown(s registry.Source) string {
	if s == registry.SourceNone {
		return "Default"
	}
	return s.String()
}
