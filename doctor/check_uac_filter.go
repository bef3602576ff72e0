package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/casementhq/casement/cim"
)

// What the account sees is all there is: UAC has not taken an administrator's
// rights out of its token, which shortens answers without a word.
func init() {
	register(check{id: "uac.filter", layer: LayerRights, title: "The account is whole", transport: "dcom", needs: []string{"wmi.namespace"}, after: []string{"wmi.rights"}, run: uacFilter})
}

// tokenFilter is what is known of the filtering of local administrators.
type tokenFilter struct {
	policy registryValue
	read   bool
	member bool // of Administrators
}

const (
	uacKey    = `SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`
	uacPolicy = "LocalAccountTokenFilterPolicy"
)

// shortened are classes of which a filtered token sees too little: instances are
// missing, or properties. See spec/wmi.md 1.4.
var (
	missingInstances  = []string{"Win32_UserAccount", "Win32_Printer", "Win32_PrinterDriver", "Win32_NetworkConnection", "Win32_Bus", "Win32_PortResource", "Win32_DeviceMemoryAddress", "Win32_ComponentCategory", "Win32_LogicalProgramGroup", "Win32_LogicalProgramGroupItem"}
	missingProperties = []string{
		"Win32_ComputerSystem", "Win32_NetworkAdapter", "Win32_NetworkAdapterConfiguration", "Win32_LogicalDisk", "Win32_DiskDrive", "Win32_PnPEntity", "Win32_SystemDriver",
		"Win32_Baseboard", "Win32_MotherboardDevice", "Win32_VideoController", "Win32_ParallelPort", "Win32_IRQResource", "Win32_NetworkProtocol", "Win32_DCOMApplication", "Win32_DCOMApplicationSetting",
	}
)

func uacFilter(ctx context.Context, x *examination) found {
	d := &x.dcom
	f := found{}
	switch {
	case !x.localAccount():
		return found{detail: "an account of a domain is not filtered"}
	case x.builtIn():
		return found{detail: "the built-in Administrator is not filtered"}
	case d.rights&rightEditSecurity != 0:
		return found{detail: "it has an administrator's rights in the namespace"}
	}
	var err error
	if d.filter.policy, err = x.registry(ctx, uacKey, uacPolicy); err != nil {
		f.seen = append(f.seen, uacPolicy+" cannot be read: "+err.Error())
	} else {
		d.filter.read = true
		f.seen = append(f.seen, uacPolicy+": "+d.filter.policy.String())
		if d.filter.policy.is(1) {
			f.detail = "UAC filters no local account: " + uacPolicy + " is 1"
			return f
		}
	}
	member, err := x.administrator(ctx)
	switch {
	case err != nil:
		f.outcome = Info
		f.detail = fmt.Sprintf("if %s is an administrator there, UAC filters it, and it sees less than there is", x.account())
		f.seen = append(f.seen, err.Error())
	case member:
		d.filter.member = true
		f.outcome = Warn
		f.detail = fmt.Sprintf("%s is an administrator whose rights UAC filters: these classes are incomplete", x.account())
		f.seen = append(f.seen, "instances are missing of "+strings.Join(missingInstances, ", "), "properties are missing of "+strings.Join(missingProperties, ", "))
	default:
		f.detail = fmt.Sprintf("%s is no administrator there: there is nothing to filter", x.account())
	}
	return f
}

// administrator tells whether the account is a member of the group Administrators
// of the machine, by its classes.
func (x *examination) administrator(ctx context.Context) (bool, error) {
	if x.facts().kind != windowsHost {
		return false, fmt.Errorf("who is an administrator there is not told")
	}
	s, err := x.system(ctx)
	if err != nil {
		return false, err
	}
	member, groups := false, 0
	err = query(ctx, s, "SELECT Name, Domain FROM Win32_Group WHERE SID='S-1-5-32-544'", func(g *cim.Instance) {
		groups++
		domain, _ := g.Get("Domain").Str()
		name, _ := g.Get("Name").Str()
		path := fmt.Sprintf(`Win32_Group.Domain=\"%s\",Name=\"%s\"`, wqlText(domain), wqlText(name))
		if e := query(ctx, s, `SELECT PartComponent FROM Win32_GroupUser WHERE GroupComponent="`+path+`"`, func(i *cim.Instance) {
			part, _ := i.Get("PartComponent").Str()
			p, err := cim.ParsePath(part)
			if err != nil || !strings.EqualFold(p.Class, "Win32_UserAccount") {
				return
			}
			for _, k := range p.Keys {
				text, _ := k.Value.Str()
				member = member || strings.EqualFold(k.Name, "Name") && strings.EqualFold(text, x.user())
			}
		}); e != nil && err == nil {
			err = e
		}
	})
	if err == nil && groups == 0 {
		err = fmt.Errorf("the group Administrators is not told")
	}
	return member, err
}

// wqlText leaves out of a name what would end the text that it stands in.
func wqlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '"' || r == '\'' || r == '\\' {
			return -1
		}
		return r
	}, s)
}
