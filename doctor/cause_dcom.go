package doctor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/cim"
)

// The causes of WMI over DCOM, in the order of its path. The rows are those of the
// decision table in spec/wmi.md 1.9.
func init() {
	explain("tcp.135", dcomSwitchedOff, port135Shut)
	explain("epm", dcomSwitchedOff, mapperAlone, dcomRefusesAll, serviceDown)
	explain("rpc.auth", kerberosFails, forbiddenHere, signInRefused)
	explain("dcom.activate", dcomSwitchedOff, activationTooLow, uacFilters, launchDenied, noClass, serviceDown)
	explain("dcom.bindings", behindTranslation, noPort)
	explain("tcp.dynamic", portNotForwarded, dynamicPortShut)
	explain("dcom.call", accessDenied, objectGone, serviceDown)
	explain("wmi.namespace", noNamespace, namespaceDemandsPrivacy, namespaceDenied, wrongParameter, wmiQuotaUsedUp, objectGone, serviceDown)
	explain("wmi.rights", methodsDenied)
	explain("uac.filter", filteredResults)
	explain("wmi.quota", wmiQuotaUsedUp)
	explain("wmi.subscriptions", creatorsDiffer)
}

// up is a sign that the machine is there, where WinRM answers.
func (f *findings) up() (signs []string) {
	if p := f.port(); f.passed(p.ID) {
		signs = append(signs, "port "+f.x.target.port()+" answers at once")
	}
	return signs
}

func dcomSwitchedOff(f *findings, failed Result) *diagnosis {
	const title = "DCOM is switched off on the host: EnableDCOM is not Y"
	switch {
	case f.x.dcom.off:
		return &diagnosis{Cause: Cause{Check: "dcom.enabled", Confidence: Certain, Row: 2, Title: title, For: []string{"EnableDCOM was read over WinRM"}}, remedies: f.enableDCOM()}
	case failed.Code == "0x8001011C":
		return &diagnosis{Cause: Cause{Confidence: Certain, Row: 2, Title: title, For: []string{"the host says so itself, RPC_E_REMOTE_DISABLED"}}, remedies: f.enableDCOM()}
	}
	return nil
}

func port135Shut(f *findings, _ Result) *diagnosis {
	k := f.x.dcom.mapper
	d := &diagnosis{Cause: Cause{Confidence: Certain, For: f.up()}}
	port := f.x.target.resolverPort()
	switch k.state {
	case portSilent:
		d.Row, d.Title = 3, "Windows Firewall on the host, or a firewall on the way, drops what comes to port 135"
		if len(d.For) == 0 {
			d.Confidence, d.Title = Likely, "a firewall drops what comes to port 135, or the machine is off"
			d.Test = "ping " + f.name() + "; if it answers, or another port does, it is a firewall"
		}
		d.remedies = f.openWMI(port)
	case portReset:
		d.Row, d.Title = 3, "the firewall of the host takes connections to port 135 and cuts them off"
		d.remedies = f.openWMI(port)
	case portUnreachable:
		d.Row, d.Title = 3, "a router or a firewall says that the machine, or its port 135, is unreachable"
		d.remedies = append([]Remedy{steps("route", OnNetwork, "", "look at the route and the rules between here and "+k.address)}, f.openWMI(port)...)
	case portProhibited:
		d.Row, d.Title = 3, "a firewall of this machine does not let connections to port 135 out"
		d.remedies = []Remedy{steps("let-out", OnConsole, "", "permit TCP from this machine to "+k.address+" and to the ports of WMI")}
	case portRefused:
		d.Row, d.Title = 2, "nothing listens at port 135: the service is not there, or a firewall refuses for it"
		d.remedies = append(f.startWMI(), f.openWMI(port)...)
	case portMute:
		d.Row, d.Title, d.Confidence = 3, "something takes connections to port 135 and says nothing: a firewall or a translation, and not RPC", Likely
		d.Test = "on the host, ask which process listens at port 135"
		d.remedies = f.openWMI(port)
	case portOther:
		d.Title = "something else than RPC listens at port 135"
		d.For = append(d.For, fmt.Sprint(k.err))
		d.remedies = append(f.onTarget("who-listens", "tells which process has the port; nothing changes",
			typed{[]string{"netstat -ano -p tcp | findstr :135", "sc query rpcss"}, nil}, typed{[]string{"ss -ltnp 'sport = :135'"}, nil}),
			steps("forwarding", OnNetwork, "", "where the port is forwarded: to port 135 of the host"))
	default:
		return nil
	}
	return d
}

func mapperAlone(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x800706D9" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 34, Title: "RPC answers at port 135, and DCOM is not there", For: []string{"the endpoint mapper answers; the resolver's interface is not served"}},
		remedies: append(f.startWMI(), f.enableDCOM()...)}
}

func dcomRefusesAll(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80070005" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Likely, Row: 2, Title: "DCOM is switched off on the host: its resolver refuses what it tells everybody",
		For: []string{"ServerAlive2, which asks for no account, is refused"}, Test: `on the host: reg query HKLM\SOFTWARE\Microsoft\Ole /v EnableDCOM`}, remedies: f.enableDCOM()}
}

// kerberosFails explains what the KDC, or a ticket, says.
func kerberosFails(f *findings, _ Result) *diagnosis {
	var e *krb5.Error
	if !errors.As(f.x.dcom.unproved, &e) {
		return nil
	}
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: 7, For: []string{e.Detail}}}
	ntlm := here("authority-ntlm", "signs in without Kerberos, once; where NTLM is permitted", "casement query dcom://"+f.name()+" 'SELECT Caption FROM Win32_OperatingSystem' --authority NTLMDomain:DOMAIN")
	switch e.Code {
	case krb5.TimeSkew:
		d.Title = "the clocks differ by more than Kerberos permits, five minutes"
		d.remedies = f.onTarget("set-clock", "the clock is set by the domain's, or the network's", typed{[]string{"w32tm /resync"}, nil}, typed{[]string{"timedatectl set-ntp true"}, []string{"timedatectl set-ntp false"}})
	case krb5.TargetUnknown:
		d.Title = "the domain knows no service by this name: " + e.SPN
		d.remedies = []Remedy{
			steps("name", OnConsole, "nothing changes", "name the host by its full name in the domain, not by an address or an alias"),
			{ID: "setspn", Where: InDomain, Prompt: "cmd", Commands: []string{"setspn -S " + e.SPN + " COMPUTER"}, Undo: []string{"setspn -D " + e.SPN + " COMPUTER"}, Effect: "the domain gives tickets for that name"}, ntlm,
		}
	case krb5.NoAuthenticatingAuthority:
		d.Title = "no domain controller answers this machine"
		d.remedies = []Remedy{steps("kdc", OnConsole, "", "let this machine reach port 88 of a domain controller, and DNS of the domain"), ntlm}
	case krb5.LogonDenied, krb5.NoCredentials, krb5.ContextExpired:
		d.Title = "the domain does not take the account's credentials"
		d.remedies = []Remedy{
			here("credentials", "asks the domain for a ticket anew, and says what is wrong with the account", "kinit "+shellWord(f.x.account())),
			f.manageAs("none on " + f.name()),
		}
	default:
		d.Title = "Kerberos does not work with this host"
		d.remedies = []Remedy{ntlm}
	}
	return d
}

// forbiddenHere explains what this machine does not let its own user do.
func forbiddenHere(f *findings, _ Result) *diagnosis {
	err := f.x.dcom.unproved
	var own *cim.Error
	if !errors.Is(err, auth.ErrNTLMBlocked) && (!errors.As(err, &own) || own.Remote) {
		return nil
	}
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: 7, Title: "no account was named, and there is no ticket"}}
	d.remedies = []Remedy{here("name-user", "it asks for the password", f.again("--as", "NAME"))}
	if errors.Is(err, auth.ErrNTLMBlocked) {
		d.Title = "this machine must not use NTLM with the host"
		d.remedies = []Remedy{
			steps("use-kerberos", OnConsole, "Kerberos is used", "sign in as an account of a domain, and name the host by its name there"),
			steps("ntlm-exception", OnConsole, "this machine sends NTLM to that host", "add "+f.name()+" to the policy 'Restrict NTLM: Add remote server exceptions for NTLM authentication' (ClientAllowedNTLMServers)"),
		}
	}
	return d
}

// subStatuses are the reasons that a failed logon has in the host's own log.
const subStatuses = "0xC000006A wrong password, 0xC0000064 no such account, 0xC0000072 disabled, 0xC0000234 locked out, 0xC000006E blank password or another restriction, 0xC0000071 expired, 0xC0000133 clocks differ, 0xC0000418 NTLM is blocked"

func signInRefused(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80070005" && failed.Code != "0x8007052E" && failed.Code != "0x80070721" {
		return nil
	}
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: 7, Title: "the host does not take the name or the password",
		For: []string{"the first call after the exchange is refused, before anything else is asked"}}}
	if f.passed(wayNTLM) || f.passed(wayKerberos) && f.x.winrm.signed != nil {
		if f.x.winrm.signed != nil && f.x.winrm.signed.err == nil {
			d.Confidence, d.Title = Likely, "the host does not take this sign-in over RPC"
			d.Against = append(d.Against, "the same account signs in over WinRM")
		}
	}
	if f.x.options.Credentials.Password == "" {
		d.For = append(d.For, "the password is empty, which network logons refuse")
	}
	d.Test = "the host's Security log, event 4625, sub-status: " + subStatuses
	d.remedies = append([]Remedy{f.manageAs("none on " + f.name() + ": another name or password")}, f.onTarget("look-at-account", "tells whether the account is active or locked out; nothing changes",
		typed{[]string{"net user " + cmdWord(f.x.user())}, nil}, typed{[]string{"casement user list", "casement user lockouts"}, nil})...)
	return d
}

func activationTooLow(f *findings, failed Result) *diagnosis {
	if !f.x.dcom.raised || failed.Code != "0x80070005" {
		return nil
	}
	const key, name = `SOFTWARE\Microsoft\Ole\AppCompat`, "RaiseActivationAuthenticationLevel"
	raise, _ := regAdd(key, name, "REG_DWORD", "2")
	lower, _ := regAdd(key, name, "REG_DWORD", "0")
	c := certain("the activation's authentication level is too low: the host demands packet integrity (KB5004442)", fmt.Sprintf("refused at level %d, granted at level 5", f.x.level()))
	c.Row = 6
	return &diagnosis{Cause: c, remedies: []Remedy{
		steps("raise-level", OnConsole, "calls are sealed", "leave the authentication level out, or name pktIntegrity or pktPrivacy: authenticationLevel=pktPrivacy in a moniker, --auth-level pktPrivacy here"),
		{ID: "raise-activation", Where: OnConsole, Prompt: "cmd", Commands: []string{raise}, Undo: []string{lower},
			Effect: "where the client is a Windows: every activation that is not anonymous is raised, when Windows has started again. Its System log has events 10037 and 10038, that of the host 10036"},
	}}
}

func launchDenied(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80070005" {
		return nil
	}
	d := &diagnosis{Cause: Cause{Check: "dcom.launch", Confidence: Certain, Row: 8, Title: "DCOM: the account lacks Remote Launch or Remote Activation of WMI",
		For: []string{"the sign-in is taken, the activation is refused"}}, remedies: f.grantLaunch()}
	switch {
	case f.x.builtIn():
		d.For = append(d.For, "UAC does not filter the built-in Administrator")
	case !f.x.localAccount():
		d.For = append(d.For, "UAC does not filter an account of a domain")
	case f.passed("winrm.authorize"):
		d.For = append(d.For, "WinRM works, where a filtered administrator would be refused as well")
	}
	return d
}

func noClass(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80040154" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 35, Title: "the host has DCOM, and no WMI", For: []string{"it does not know the class of WMI's login"}}, remedies: f.onTarget("repair-wmi", "tells what is damaged, and starts WMI anew",
		typed{[]string{"sc query winmgmt", "winmgmt /verifyrepository", "sfc /scannow"}, nil}, typed{[]string{"casement version", "systemctl restart casement"}, nil})}
}

// down are codes of a service that stops, or is not there.
var down = map[string]string{
	"0x80041033": "WMI is stopping", "0x80070422": "the service is disabled", "0x80080005": "the process of WMI could not be started",
	"0x800706BA": "it was there before, and is not any more", "0x800706BE": "it ended during the call", "0x800706BF": "it ended before the call began", "0x80041032": "WMI ended during the call",
}

func serviceDown(f *findings, failed Result) *diagnosis {
	why, ok := down[failed.Code]
	if !ok {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 32, Title: "the WMI service of the host does not run: " + why, For: []string{"port 135 answers"}}, remedies: f.startWMI()}
}

func objectGone(f *findings, failed Result) *diagnosis {
	switch failed.Code {
	case "0x80010108", "0x80010114", "0x80010113":
	default:
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Likely, Row: 33, Title: "WMI was started anew while it was examined", For: []string{"the object that it gave is gone"}, Test: f.again() + " once more"},
		remedies: append([]Remedy{here("again", "nothing changes", f.again())}, f.startWMI()...)}
}

func noPort(f *findings, failed Result) *diagnosis {
	if failed.Outcome != Fail {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 5, Title: "the host tells no port where WMI answers", For: []string{"the activation is granted"}}, remedies: f.startWMI()}
}

// translation is what to do where a host tells addresses that do not lead to it.
func (f *findings) translation() []Remedy {
	list := []Remedy{here("port-only", "Casement believes the port alone and dials the host that was named; of other clients, those that can be told to", "casement query dcom://"+f.name()+" 'SELECT Caption FROM Win32_OperatingSystem'")}
	const key = `'HKLM\SOFTWARE\Casement'`
	return append(list, f.onTarget("tell-address", "the host tells the address by which it is reached", typed{},
		typed{[]string{"casement reg add " + key + " /v DCOMBindings /t REG_MULTI_SZ /d " + shellWord(f.x.target.host()) + " /f", "casement net stop winmgmt", "casement net start winmgmt"}, []string{"casement reg delete " + key + " /v DCOMBindings /f"}})...)
}

func behindTranslation(f *findings, failed Result) *diagnosis {
	if failed.Outcome != Warn || len(f.x.dcom.foreign) == 0 {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 5, Title: "the host tells addresses that do not lead to it from here: clients that dial what is told fail",
		For: []string{"it tells " + strings.Join(f.x.dcom.foreign, ", "), "it was dialled at " + f.x.dialled()}}, remedies: f.translation()}
}

func portNotForwarded(f *findings, _ Result) *diagnosis {
	if len(f.x.dcom.foreign) == 0 {
		return nil
	}
	d := &diagnosis{Cause: Cause{Confidence: Likely, Row: 5, Title: "the host is behind a translation of addresses (NAT) that does not pass the port of WMI on",
		For:  []string{"port 135 answers", "the host tells " + strings.Join(f.x.dcom.foreign, ", ") + " and was dialled at " + f.x.dialled()},
		Test: "from a machine in the host's own network: casement doctor, with one of these addresses"}}
	d.For = append(d.For, f.dynamicStates()...)
	d.remedies = append(f.fixedPort(), steps("forward", OnNetwork, "WMI is reached through the translation", "forward port 24158 of "+f.x.dialled()+" to port 24158 of the host"))
	d.remedies = append(d.remedies, f.translation()[1:]...)
	return d
}

func (f *findings) dynamicStates() (list []string) {
	for _, k := range f.x.dcom.dynamic {
		list = append(list, k.text())
	}
	return list
}

func dynamicPortShut(f *findings, _ Result) *diagnosis {
	if len(f.x.dcom.dynamic) == 0 {
		return nil
	}
	k := f.x.dcom.dynamic[0]
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: 4, Title: "the port WMI answers on is closed by a firewall: Windows Firewall on the host, or one on the way", For: append([]string{"port 135 answers at once"}, f.up()...)}}
	d.remedies = f.openWMI(f.x.dcom.ports[0])
	switch k.state {
	case portRefused:
		d.Confidence, d.Title = Likely, "nothing listens at the port that WMI told: a firewall refuses for it, or WMI has just ended"
		d.Test = f.again() + " once more: WMI that was started anew tells another port"
	case portOther:
		d.Title = "something else than RPC answers at the port that WMI told: the port is forwarded elsewhere"
	case portProhibited:
		d.Title = "a firewall of this machine does not let connections to the port of WMI out"
		d.remedies = []Remedy{steps("let-out", OnConsole, "", "permit TCP from this machine to "+k.address)}
	}
	d.remedies = append(d.remedies, f.fixedPort()...)
	return d
}

func accessDenied(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80070005" && failed.Code != "0x8001011B" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 8, Title: "DCOM: the account may activate WMI, and may not call it: it lacks Remote Access",
		For: []string{"the activation is granted", "the first call is refused"}}, remedies: f.grantAccess()}
}

func noNamespace(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x8004100E" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 19, Title: "the host has no namespace " + f.x.target.namespace(), For: seenTexts(failed, "below root")}, remedies: append([]Remedy{
		here("namespaces", "none: it lists what there is", "casement query dcom://"+f.name()+` -n root "SELECT Name FROM __NAMESPACE"`),
	}, f.onTarget("mofcomp", "makes the namespace again, from the MOF file of the product that has it", typed{[]string{"mofcomp FILE.mof"}, nil}, typed{[]string{"casement mofcomp FILE.mof"}, nil})...)}
}

// seenTexts are what a check saw that begins so.
func seenTexts(r Result, prefix string) (list []string) {
	for _, e := range r.Seen {
		if strings.HasPrefix(e.Saw, prefix) {
			list = append(list, e.Saw)
		}
	}
	return list
}

func namespaceDemandsPrivacy(f *findings, failed Result) *diagnosis {
	if !f.x.dcom.encrypted {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 12, Title: "the namespace demands encryption, and the calls are not sealed",
		For: []string{fmt.Sprintf("refused at level %d, granted at level 6", f.x.level()), "the host's log has event 5605"}}, remedies: []Remedy{
		steps("pkt-privacy", OnConsole, "calls are sealed", "authenticationLevel=pktPrivacy in a moniker, --auth-level pktPrivacy here, RPC_C_AUTHN_LEVEL_PKT_PRIVACY in a program"),
	}}
}

func namespaceDenied(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80041003" && failed.Code != "0x80070005" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 13, Title: "the account may not open " + f.x.target.namespace() + " from afar: Enable Account or Remote Enable is missing",
		For: append([]string{"DCOM lets the account through"}, seenTexts(failed, "root")...)}, remedies: f.grantNamespace("Enable Account, Remote Enable")}
}

func wrongParameter(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80041008" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 18, Title: "the host cannot read the name of the namespace", For: []string{f.x.target.namespace()}}, remedies: []Remedy{here("other-namespace", "nothing changes", f.again("--namespace", `'root\cimv2'`))}}
}

func methodsDenied(f *findings, failed Result) *diagnosis {
	if failed.Outcome != Warn || f.x.dcom.rights&rightExecute != 0 || failed.Code != "0x80041003" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 14, Title: "the account may read " + f.x.target.namespace() + " and run no method in it: Execute Methods is missing",
		For: []string{"GetCallerAccessRights tells so"}}, remedies: f.grantNamespace("Execute Methods")}
}

func wmiQuotaUsedUp(f *findings, failed Result) *diagnosis {
	row := usedUp[failed.Code]
	if row == 0 {
		return nil
	}
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: row, Title: "a quota of WMI is used up on the host: " + failed.Name, For: []string{failed.Detail}}}
	d.remedies = []Remedy{steps("ask-less", OnConsole, "what was in use is free",
		"end subscriptions and queries of this account that nobody reads; read semisynchronously and forward-only; simplify queries with many AND or OR")}
	c := `casement winrm set wmi/root/__ArbitratorConfiguration '@{TemporarySubscriptionsPerUser="%d"}'`
	list := f.onTarget("arbitrator", "one account may have more; TemporarySubscriptionsPerUser stands for the property that is used up",
		typed{[]string{f.arbitrate(2000)}, []string{f.arbitrate(1000)}}, typed{[]string{fmt.Sprintf(c, 2000)}, []string{fmt.Sprintf(c, 1000)}})
	for n, m := range list {
		list[n].Fix = false // which property it is, is not told
		if m.Prompt == "cmd" {
			list[n].Prompt = "powershell"
		}
	}
	d.remedies = append(d.remedies, list...)
	return d
}

func creatorsDiffer(f *findings, failed Result) *diagnosis {
	if failed.Outcome != Warn {
		return nil
	}
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: 44, Title: "permanent subscriptions are silent: filter, consumer and binding were not made by the same account"}}
	for _, e := range failed.Seen {
		d.For = append(d.For, e.Saw)
	}
	d.remedies = []Remedy{steps("recreate", OnTarget, "their events arrive again", `delete filter, consumer and binding in root\subscription, and make all three as the same administrator: mofcomp FILE.mof`)}
	return d
}
