package doctor

import (
	"fmt"
	"strings"

	"github.com/casementhq/casement/wsman"
)

// What the service says once somebody signed in.
func init() {
	explain("winrm.identify", managementOff, quotaUsedUp, deniedAccount)
	explain("winrm.authorize", managementOff, quotaUsedUp, uacFilters, deniedNamespace, deniedAccount, unknownNamespace, brokenProvider)
	explain("winrm.quota", quotaUsedUp)
}

func managementOff(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.CodeRemoteAccessDisabled) {
		return nil
	}
	d := &diagnosis{Cause: certain("remote management of "+f.name()+" is switched off there, by policy or by its own switch", r.Detail)}
	policy := strings.Contains(r.Detail, "Group Policy")
	ours := f.x.facts().kind == casementHost
	byPolicy := Remedy{ID: "policy", Where: InDomain, Prompt: "steps", Effect: "every machine that the policy is for may be managed", Commands: []string{
		f.managementPolicy(), "gpupdate /force   on " + f.name()}}
	if ours {
		byPolicy.Where, byPolicy.Prompt = OnTarget, "sh"
		byPolicy.Commands = []string{`casement gpedit clear 'WinRM Service\Allow remote server management through WinRM'`}
		byPolicy.Undo = []string{`casement gpedit set 'WinRM Service\Allow remote server management through WinRM' disabled`}
		byPolicy.Fix = f.fixable(casementHost, byPolicy.Commands)
	}
	bySwitch := f.onTarget("remote-management", "WinRM answers the network, its listener and its firewall rules are on; DCOM is not touched",
		f.switchManagement(),
		typed{[]string{"casement Configure-SMRemoting.exe -enable"}, []string{"casement Configure-SMRemoting.exe -disable"}})
	const key = `'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Service' /v AllowRemoteAccess /t REG_DWORD /d `
	if ours {
		bySwitch = append(f.onTarget("allow-remote-access", "WinRM answers the network again, with the listeners and rules that there are",
			typed{}, typed{[]string{"casement reg add " + key + "1 /f"}, []string{"casement reg add " + key + "0 /f"}}), bySwitch...)
	}
	switch {
	case policy && ours:
		d.Title = "remote management of " + f.name() + " is disabled by policy"
		d.remedies = []Remedy{byPolicy}
	case ours:
		d.Title = "remote management of " + f.name() + " is switched off there"
		d.remedies = bySwitch
	case policy:
		d.Title = "remote management of " + f.name() + " is disabled by policy"
		const value = `"HKLM\SOFTWARE\Policies\Microsoft\Windows\WinRM\Service" /v AllowAutoConfig`
		until := f.onTarget("policy-value", "until the policy is applied again, which happens by itself",
			typed{[]string{"reg delete " + value + " /f"}, []string{"reg add " + value + " /t REG_DWORD /d 0 /f"}}, typed{})
		d.remedies = append(append([]Remedy{byPolicy}, until...), bySwitch...)
	default:
		d.remedies = append(bySwitch, byPolicy)
	}
	return d
}

// quotas are the codes of limits, with the setting that each is. See spec/winrm.md 6.
var quotas = map[string]struct{ resource, name, what string }{
	"0x803381A5": {"winrm/config/winrs", "MaxShellsPerUser", "shells of this account"},
	"0x803381A6": {"winrm/config/service", "MaxConcurrentOperationsPerUser", "operations of this account"},
	"0x803381A7": {"", "", "what one account may load the service with"},
	"0x803381A8": {"", "", "what the service may be loaded with"},
	"0x803381AB": {"winrm/config/winrs", "MaxConcurrentUsers", "accounts with shells"},
	"0x803381E4": {"winrm/config/winrs", "MaxShellsPerUser", "shells of this account in that plug-in"},
	"0x8033803F": {"", "", "a quota that the host does not name"},
}

func quotaUsedUp(f *findings, r Result) *diagnosis {
	q, known := quotas[r.Code]
	if !known {
		return nil
	}
	d := &diagnosis{Cause: certain("a quota of "+f.name()+" is used up: "+q.what, r.Detail)}
	if q.name != "" {
		d.Title += " (" + q.name + ")"
	}
	d.Check = "winrm.quota"
	d.Row = 27
	if strings.Contains(q.what, "shells") {
		d.remedies = append(d.remedies, here("close-shells", "commands in those shells end",
			"casement winrm enumerate shell -r:"+f.urlHost(), "casement winrm delete shell?ShellId=ID -r:"+f.urlHost()))
	}
	if q.resource != "" {
		before, more := uint32(0), uint32(100)
		if c := f.x.winrm.config; c != nil {
			switch q.name {
			case "MaxShellsPerUser":
				before = c.Winrs.MaxShellsPerUser
			case "MaxConcurrentOperationsPerUser":
				before = c.Service.MaxConcurrentOperationsPerUser
			case "MaxConcurrentUsers":
				before = c.Winrs.MaxConcurrentUsers
			}
		}
		if before > 0 {
			more = before * 2
		}
		old := "BEFORE"
		if before > 0 {
			old = fmt.Sprint(before)
		}
		w, c := winrmSet(q.resource, q.name, fmt.Sprint(more), old)
		d.remedies = append(d.remedies, f.onTarget("raise-quota", "more of the machine's memory can be taken", w, c)...)
	}
	d.remedies = append(d.remedies, f.restart()...)
	return d
}

// grants give an account rights without making it an administrator.
func (f *findings) grants(user string) []Remedy {
	group := f.remoteUsers()
	const effect = "sees less than an administrator"
	word := `"` + user + `"`
	if !strings.ContainsAny(user, " \t\"&|<>^%") {
		word = user
	}
	return f.onTarget("grant", effect,
		typed{[]string{`net localgroup "` + group + `" ` + word + ` /add`, `wmimgmt.msc: WMI Control, Properties, Security, root\cimv2, Security: ` + user + `: Enable Account, Remote Enable`},
			[]string{`net localgroup "` + group + `" ` + word + ` /delete`}},
		typed{[]string{"casement group add WinRMRemoteWMIUsers__ " + shellWord(user), "casement wmi sd grant root/cimv2 " + shellWord(user) + " 'Enable Account,Remote Enable'"},
			[]string{"casement group remove WinRMRemoteWMIUsers__ " + shellWord(user)}})
}

func deniedNamespace(f *findings, r Result) *diagnosis {
	if r.Code != "0x80041003" {
		return nil
	}
	user, _ := f.x.options.Credentials.Split()
	namespace := f.x.target.Namespace
	if namespace == "" {
		namespace = `root\cimv2`
	}
	d := &diagnosis{Cause: likely("the namespace "+namespace+" does not let "+user+" in from the network (Remote Enable)", "wmimgmt.msc on "+f.name()+", or an administrator's account", "signed in and authorized by WinRM", r.Detail)}
	d.Row = 13
	d.remedies = f.grants(user)
	return d
}

func deniedAccount(f *findings, r Result) *diagnosis {
	if r.Code != "0x80070005" {
		return nil
	}
	user, _ := f.x.options.Credentials.Split()
	d := &diagnosis{Cause: likely(user+" may sign in and not use WinRM: it is no administrator there and not in the group for remote management", f.again("--as", "AN-ADMINISTRATOR"), "password accepted", r.Detail)}
	d.remedies = append(f.grants(user), f.onTarget("root-sddl", "none: it shows who may use WinRM", typed{[]string{"winrm configSDDL default"}, nil}, typed{[]string{"casement winrm get winrm/config/service"}, nil})...)
	return d
}

func unknownNamespace(f *findings, r Result) *diagnosis {
	if r.Code != "0x8004100E" {
		return nil
	}
	d := &diagnosis{Cause: certain("there is no namespace "+f.x.target.Namespace, r.Detail)}
	d.Row = 19
	d.remedies = []Remedy{here("namespaces", "none: it lists what there is", "casement query "+f.name()+` -n root "SELECT Name FROM __NAMESPACE"`)}
	return d
}

func brokenProvider(f *findings, r Result) *diagnosis {
	switch r.Code {
	case "0x80041013", "0x80041011", "0x80041012", "0x80041014", "0x80041001", "0x80041004", "0x80041010", "0x80041033":
	default:
		return nil
	}
	d := &diagnosis{Cause: likely("WMI itself is damaged or stopping on "+f.name(), "winmgmt /verifyrepository   on "+f.name(), r.Code+" "+r.Name)}
	d.Row = 29
	d.remedies = f.onTarget("restart-wmi", "programs that use WMI there start anew; never delete the repository first",
		typed{[]string{"winmgmt /verifyrepository", "net stop winmgmt /y", "net start winmgmt"}, nil}, typed{[]string{"systemctl restart casement"}, nil})
	return d
}
