package doctor

import (
	"fmt"
	"strings"
)

// What to do about the causes of WMI over DCOM: the commands of Windows of
// spec/wmi.md 1.2 to 1.7, and those of a Casement host.

const (
	wmiGroup = `netsh advfirewall firewall set rule group="windows management instrumentation (wmi)" new enable=`
	ruleDCOM = `netsh advfirewall firewall add rule dir=in name="DCOM" program=%systemroot%\system32\svchost.exe service=rpcss action=allow protocol=TCP localport=135`
	ruleWMI  = `netsh advfirewall firewall add rule dir=in name="WMI" program=%systemroot%\system32\svchost.exe service=winmgmt action=allow protocol=TCP localport=any`
	ruleOut  = `netsh advfirewall firewall add rule dir=out name="WMI_OUT" program=%systemroot%\system32\svchost.exe service=winmgmt action=allow protocol=TCP localport=any`
	ruleSink = `netsh advfirewall firewall add rule dir=in name="UnsecApp" program=%systemroot%\system32\wbem\unsecapp.exe action=allow`

	ownGroup = `'Windows Management Instrumentation (WMI)'`
)

// undoRule takes a rule away.
func undoRule(name string) string {
	return `netsh advfirewall firewall delete rule name="` + name + `"`
}

// regAdd sets a value below HKEY_LOCAL_MACHINE, on Windows and on a Casement host.
func regAdd(key, name, kind, data string) (windows, casement string) {
	rest := " /v " + name + " /t " + kind + " /d " + data + " /f"
	return `reg add HKLM\` + key + rest, `casement reg add 'HKLM\` + key + `'` + rest
}

// set is a value with the one that it had.
func (f *findings) set(id, effect, key, name, kind, data, before string, then ...string) []Remedy {
	w, c := regAdd(key, name, kind, data)
	uw, uc := regAdd(key, name, kind, before)
	return f.onTarget(id, effect, typed{append([]string{w}, then...), []string{uw}}, typed{[]string{c}, []string{uc}})
}

// openWMI are the ways to let WMI in at a port.
func (f *findings) openWMI(port uint16) []Remedy {
	list := f.onTarget("wmi-group", "the firewall lets WMI in, and no other DCOM",
		typed{[]string{wmiGroup + "yes"}, []string{wmiGroup + "no"}},
		typed{[]string{"casement firewall enable " + ownGroup}, []string{"casement firewall disable " + ownGroup}})
	return append(list, f.onTarget("wmi-rules", "the same as rules of their own",
		typed{[]string{ruleDCOM, ruleWMI}, []string{undoRule("DCOM"), undoRule("WMI")}},
		typed{[]string{fmt.Sprintf("nft insert rule inet filter input tcp dport %d accept", port)}, nftUndo})...)
}

// nftUndo takes a rule of nft away.
var nftUndo = []string{"nft -a list chain inet filter input", "nft delete rule inet filter input handle N"}

// fixedPort gives WMI a port that a firewall or a translation can name.
func (f *findings) fixedPort() []Remedy {
	list := f.onTarget("fixed-port", "WMI answers at port 24158 alone; its connections end once",
		typed{[]string{"winmgmt /standalonehost 6", "net stop winmgmt", "net start winmgmt", `netsh advfirewall firewall add rule name="WMIFixedPort" dir=in action=allow protocol=TCP localport=24158`},
			[]string{"winmgmt /sharedhost", "net stop winmgmt", "net start winmgmt", undoRule("WMIFixedPort")}},
		typed{[]string{"casement dcomcnfg endpoint 24158", "casement net stop winmgmt", "casement net start winmgmt"},
			[]string{"casement dcomcnfg endpoint dynamic", "casement net stop winmgmt", "casement net start winmgmt"}})
	for n := range list {
		list[n].Fix = false // it cuts connections off, others' too
	}
	return list
}

// enableDCOM switches DCOM on.
func (f *findings) enableDCOM() []Remedy {
	w, _ := regAdd(oleKey, "EnableDCOM", "REG_SZ", "Y")
	u, _ := regAdd(oleKey, "EnableDCOM", "REG_SZ", "N")
	return f.onTarget("enable-dcom", "DCOM works from and to other machines; on Windows when it has started again", typed{[]string{w}, []string{u}},
		typed{[]string{"casement dcomcnfg set enable-dcom yes"}, []string{"casement dcomcnfg set enable-dcom no"}})
}

// startWMI starts what answers.
func (f *findings) startWMI() []Remedy {
	return f.onTarget("start-wmi", "WMI runs; port 135 of a Casement host takes root or CAP_NET_BIND_SERVICE",
		typed{[]string{"sc query rpcss", "sc config winmgmt start= auto", "net start winmgmt"}, []string{"net stop winmgmt"}},
		typed{[]string{"systemctl start casement", "casement net start winmgmt", "ss -ltnp 'sport = :135'"}, []string{"casement net stop winmgmt"}})
}

// grantLaunch are the ways to permit activation, and with it calls.
func (f *findings) grantLaunch() []Remedy {
	account, user := cmdWord(f.x.options.Credentials.Username), shellWord(f.x.user())
	const limits, app = "casement dcomcnfg %s --limits launch %s%s", "casement dcomcnfg %s --app wmi launch %s%s"
	const rights = " remote-launch,remote-activation"
	group := `net localgroup "Distributed COM Users" ` + account
	list := f.onTarget("dcom-users", "the account may launch, activate and call DCOM from afar; the next sign-in counts",
		typed{[]string{group + " /add"}, []string{group + " /delete"}},
		typed{[]string{"casement group add 'Distributed COM Users' " + user}, []string{"casement group remove 'Distributed COM Users' " + user}})
	own := f.onTarget("dcomcnfg-launch", "the account alone, for WMI",
		typed{[]string{
			"dcomcnfg: Component Services, Computers, My Computer, Properties, COM Security, Launch and Activation Permissions, Edit Limits: " + f.x.account() + ": Remote Launch, Remote Activation",
			"DCOM Config, Windows Management Instrumentation, Properties, Security, Launch and Activation Permissions: the same",
		}, []string{"take the entry away on both pages"}},
		typed{[]string{fmt.Sprintf(limits, "grant", user, rights), fmt.Sprintf(app, "grant", user, rights)}, []string{fmt.Sprintf(limits, "revoke", user, rights), fmt.Sprintf(app, "revoke", user, rights)}})
	return append(list, asSteps(own)...)
}

// asSteps marks what is clicked on Windows.
func asSteps(list []Remedy) []Remedy {
	for n, m := range list {
		if m.Prompt == "cmd" {
			list[n].Prompt, list[n].Fix = "steps", false
		}
	}
	return list
}

// grantAccess permits calls.
func (f *findings) grantAccess() []Remedy {
	user := shellWord(f.x.user())
	return asSteps(f.onTarget("dcomcnfg-access", "the account may call what it activated",
		typed{[]string{
			"dcomcnfg: Component Services, Computers, My Computer, Properties, COM Security, Access Permissions, Edit Limits: " + f.x.account() + ": Remote Access",
			"DCOM Config, Windows Management Instrumentation, Properties, Security, Access Permissions: the same",
		}, []string{"take the entry away on both pages"}},
		typed{[]string{"casement dcomcnfg grant --limits access " + user + " remote-access", "casement dcomcnfg grant --app wmi access " + user + " remote-access"},
			[]string{"casement dcomcnfg revoke --limits access " + user + " remote-access", "casement dcomcnfg revoke --app wmi access " + user + " remote-access"}}))
}

// grantNamespace permits what is missing in the namespace.
func (f *findings) grantNamespace(rights string) []Remedy {
	ns := f.x.target.namespace()
	what := " " + strings.ReplaceAll(ns, `\`, "/") + " " + shellWord(f.x.user()) + " '" + strings.ReplaceAll(rights, ", ", ",") + "'"
	return asSteps(f.onTarget("namespace-rights", "the account, in this namespace",
		typed{[]string{"wmimgmt.msc: WMI Control, Properties, Security, " + ns + ", Security: " + f.x.account() + ": " + rights}, []string{"take the entry away there"}},
		typed{[]string{"casement wmi sd grant" + what}, []string{"casement wmi sd revoke" + what}}))
}

// manageAs uses another account.
func (f *findings) manageAs(effect string) Remedy {
	m := here("manage-as", effect, "casement pool manage-as "+f.name()+" --credential NAME")
	m.Verify = f.again()
	return m
}

// cmdWord is a name as an argument in cmd.exe.
func cmdWord(s string) string {
	if strings.ContainsAny(s, " \t\"&|<>^%()") {
		return `"` + strings.ReplaceAll(s, `"`, "") + `"`
	}
	return s
}
