package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Signing in.
func init() {
	explain("auth.offer", schemeOff)
	explain("auth.client", notTrusted, noAccount, clientSwitch, clientUnencrypted, ticketForAddress, ntlmBlockedHere)
	explain("clock", clockSkew)
	explain(wayKerberos, clockSkew, unknownSPN, wrongKey, noKDC, oldTicket, noCommonKey, wrongPassword)
	explain(wayNTLM, wrongPassword, refusedInTheClear)
	explain(wayOther, wrongPassword, refusedInTheClear)
	explain("encryption", openToClear)
}

func (f *findings) offers(scheme string) bool {
	return slices.ContainsFunc(f.x.winrm.offer, func(s string) bool { return strings.EqualFold(s, scheme) })
}

// switchOn switches schemes of the service on.
func (f *findings) switchOn(schemes ...string) (list []Remedy) {
	for _, s := range schemes {
		w, c := winrmSet("winrm/config/service/auth", s, "true", "false")
		list = append(list, f.onTarget("scheme-"+strings.ToLower(s), "the service offers "+s, w, c)...)
	}
	return list
}

func schemeOff(f *findings, r Result) *diagnosis {
	if r.Outcome == Warn {
		var off []string
		for _, s := range []string{"Kerberos", "Negotiate"} {
			if !f.offers(s) {
				off = append(off, s)
			}
		}
		if off == nil {
			return nil
		}
		return &diagnosis{Cause: certain(strings.Join(off, " and ")+" is switched off in the service, which Server Manager needs", r.Detail), remedies: f.switchOn(off...)}
	}
	scheme := f.x.scheme()
	d := &diagnosis{Cause: certain(scheme+" is switched off in the service of "+f.name(), r.Detail)}
	for _, s := range []string{"Negotiate", "Kerberos"} {
		if f.offers(s) && s != scheme {
			d.remedies = append(d.remedies, here("use-"+strings.ToLower(s), "none on the machine", f.again("--auth", s)))
		}
	}
	if f.offers("Basic") && f.x.target.overTLS() {
		d.remedies = append(d.remedies, here("use-basic", "the password goes to the host, over TLS", f.again("--auth", "Basic")))
	}
	d.remedies = append(d.remedies, f.switchOn(scheme)...)
	return d
}

func notTrusted(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.CodeServerNotTrusted) {
		return nil
	}
	host, before := f.urlHost(), ""
	if o := f.x.options.Settings; o != nil && o() != nil {
		before = o().TrustedHosts
	}
	list := host
	if before != "" {
		list = before + "," + host
	}
	d := &diagnosis{Cause: certain("this machine's TrustedHosts do not have "+host+", and neither https nor Kerberos proves it", r.Detail)}
	d.remedies = []Remedy{
		here("use-https", "the certificate proves the host", "casement doctor https://"+host),
		{ID: "trusted-hosts", Where: OnConsole, Prompt: "cmd", Commands: []string{`winrm set winrm/config/client @{TrustedHosts="` + list + `"}`},
			Undo: []string{`winrm set winrm/config/client @{TrustedHosts="` + before + `"}`}, Effect: "credentials may go to whoever answers under that name"},
		{ID: "trusted-hosts-powershell", Where: OnConsole, Prompt: "powershell", Commands: []string{`Set-Item wsman:\localhost\Client\TrustedHosts ` + host + ` -Concatenate -Force`},
			Effect: "the same, where this machine runs Windows"},
	}
	return d
}

func noAccount(f *findings, r Result) *diagnosis {
	switch r.Code {
	case hresult(wsman.CodeExplicitCredentialsRequired), "0x803380B0", "0x803381A1", "0x803380B4", "0x803381BB", hresult(wsman.CodeWorkgroupNoKerberos):
	default:
		return nil
	}
	return &diagnosis{Cause: certain("nobody was named to sign in as", r.Detail), remedies: []Remedy{
		here("name-user", "the password is asked for", f.again("--user", `'DOMAIN\user'`)),
		here("kinit", "a ticket of the domain serves without a password", "kinit user@REALM", f.again()),
	}}
}

func clientSwitch(f *findings, r Result) *diagnosis {
	scheme := map[string]string{"0x803380DF": "Basic", "0x803380E0": "Digest", "0x803380E1": "Negotiate", "0x803380E2": "Kerberos", "0x803380E3": "Certificate", "0x803381A2": "CredSSP"}[r.Code]
	if scheme == "" {
		return nil
	}
	set := func(v string) string { return "winrm set winrm/config/client/auth @{" + scheme + `="` + v + `"}` }
	return &diagnosis{Cause: certain(scheme+" is switched off in this machine's own settings", r.Detail), remedies: []Remedy{
		{ID: "client-scheme", Where: OnConsole, Prompt: "cmd", Commands: []string{set("true")}, Undo: []string{set("false")}, Effect: "this machine uses " + scheme + " with every host"}}}
}

func clientUnencrypted(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.CodeUnencryptedDisabled) {
		return nil
	}
	return &diagnosis{Cause: certain("messages would go in the clear, which this machine's settings forbid", r.Detail), remedies: []Remedy{
		here("use-negotiate", "messages are sealed", f.again("--auth", "Negotiate")),
		here("use-https", "TLS hides everything", "casement doctor https://"+f.urlHost()+" --auth "+f.x.scheme())}}
}

func ticketForAddress(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.CodeKerberosIPAddress) && r.Code != "0x8033810E" {
		return nil
	}
	return &diagnosis{Cause: certain("Kerberos needs the host's name, and "+f.urlHost()+" is none that a domain knows", r.Detail), remedies: []Remedy{
		here("use-name", "none on the machine", "casement doctor NAME --auth Kerberos")}}
}

func ntlmBlockedHere(f *findings, r Result) *diagnosis {
	if r.Code != "0x80070791" {
		return nil
	}
	return &diagnosis{Cause: certain("this machine may not use NTLM with "+f.urlHost()+" (RestrictSendingNTLMTraffic)", r.Detail), remedies: []Remedy{
		here("use-kerberos", "none on the machine", f.again("--auth", "Kerberos"))}}
}

// clockSkew is the cause where Kerberos says so, and a warning by itself.
func clockSkew(f *findings, r Result) *diagnosis {
	skewed := f.outcome("clock") == Warn
	if r.Code != hresult(wsman.Code(krb5.TimeSkew)) {
		return nil
	}
	c := certain("the clocks of "+f.name()+" and of this machine are more than five minutes apart", r.Detail)
	c.Check = "clock"
	where := OnTarget
	if !skewed && r.ID != "clock" {
		// The host's own clock agrees with ours: then it is the domain's that differs.
		c.Title = "this machine's clock and the domain's are more than five minutes apart"
		where = OnConsole
	} else if skewed && r.ID != "clock" {
		c.For = append(c.For, f.results["clock"].Detail)
	}
	d := &diagnosis{Cause: c}
	d.Row = 7
	if where == OnTarget {
		d.remedies = f.onTarget("set-clock", "its clock follows its time server", typed{[]string{"w32tm /resync /rediscover"}, nil}, typed{[]string{"timedatectl set-ntp true"}, nil})
	}
	d.remedies = append(d.remedies, here("set-clock-here", "this machine's clock follows its time server", "timedatectl set-ntp true"))
	return d
}

func unknownSPN(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.Code(krb5.TargetUnknown)) {
		return nil
	}
	spn, host := "HTTP/"+f.urlHost(), f.urlHost()
	if t := f.x.winrm.ticket; t != nil {
		spn = t.spn
	}
	d := &diagnosis{Cause: certain("the domain knows no service principal name "+spn, r.Detail)}
	label, _, qualified := strings.Cut(host, ".")
	if !qualified {
		d.remedies = append(d.remedies, here("full-name", "none on the machine: the domain knows it by its full name", "casement doctor "+host+".YOUR.DOMAIN"))
	}
	d.remedies = append(d.remedies,
		here("other-class", "none on the machine: every computer of a domain has host/ and mostly WSMAN/", f.again("--spn", "WSMAN"), f.again("--spn", "host")),
		Remedy{ID: "setspn", Where: InDomain, Prompt: "cmd", Commands: []string{"setspn -Q " + spn, "setspn -S " + spn + " " + label}, Undo: []string{"setspn -D " + spn + " " + label}, Effect: "tickets for this name are for that computer"})
	return d
}

func wrongKey(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.Code(krb5.WrongPrincipal)) {
		return nil
	}
	spn := "HTTP/" + f.urlHost()
	if t := f.x.winrm.ticket; t != nil {
		spn = t.spn
	}
	d := &diagnosis{Cause: likely(spn+" belongs to another account than the one that runs WinRM, or its key is old", "setspn -Q "+spn, r.Detail)}
	d.remedies = append([]Remedy{
		here("other-class", "none on the machine", f.again("--spn", "WSMAN"), f.again("--spn", "host")),
		{ID: "duplicate-spn", Where: InDomain, Prompt: "cmd", Commands: []string{"setspn -X", "setspn -Q " + spn}, Effect: "none: it lists who has the name"},
	}, f.onTarget("machine-key", "the computer's key is made anew",
		typed{[]string{`powershell -Command "Test-ComputerSecureChannel -Repair"`}, nil}, typed{[]string{"casement keytab --help"}, nil})...)
	return d
}

func noKDC(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.Code(krb5.NoAuthenticatingAuthority)) {
		return nil
	}
	return &diagnosis{Cause: certain("no domain controller answers this machine", r.Detail), remedies: []Remedy{
		here("kdc", "none: it shows whom the realm names", "dig +short SRV _kerberos._tcp.REALM", "KRB5_TRACE=/dev/stderr kinit user@REALM"),
		here("local-account", "none on the machine", f.again("--user", `'`+f.name()+`\user'`))}}
}

func oldTicket(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.Code(krb5.ContextExpired)) && r.Code != hresult(wsman.Code(krb5.NoCredentials)) {
		return nil
	}
	title := "the ticket has expired"
	if r.Code == hresult(wsman.Code(krb5.NoCredentials)) {
		title = "there is no ticket and no password to get one with"
	}
	return &diagnosis{Cause: certain(title, r.Detail), remedies: []Remedy{here("kinit", "a new ticket", "kinit user@REALM", f.again())}}
}

func noCommonKey(f *findings, r Result) *diagnosis {
	if r.Code != hresult(wsman.Code(krb5.EtypeNotSupported)) {
		return nil
	}
	return &diagnosis{Cause: certain("the account has keys of kinds that are not used here any more (RC4)", r.Detail), remedies: []Remedy{
		{ID: "aes-keys", Where: InDomain, Prompt: "powershell", Commands: []string{"Set-ADComputer " + f.name() + " -KerberosEncryptionType AES128,AES256"}, Effect: "its tickets are of AES; its password must be changed once"}}}
}

func wrongPassword(f *findings, r Result) *diagnosis {
	if r.Code != hresult(codeLogonFailure) && r.Code != hresult(wsman.Code(krb5.LogonDenied)) {
		return nil
	}
	user := f.x.options.Credentials.Username
	c := likely(fmt.Sprintf("%s is not an account there, its password is another, or it may not sign in (locked, expired, disabled, blank password)", user),
		f.again("--as", "ANOTHER-USER")+"; on the host, security event 4625 has the reason", r.Detail)
	if r.ID == wayKerberos && !strings.Contains(r.Detail, "refused:") {
		c = certain("the domain refuses "+user, r.Detail)
	}
	if r.ID != wayKerberos && f.x.target.overTLS() {
		c.Test += "; if something between opens TLS, the thumbprint on the host is not " + f.x.winrm.tls.thumbprint
	}
	if f.outcome("clock") == Warn {
		c.Against = append(c.Against, "the clocks differ, which NTLM may refuse, too")
	}
	c.Row = 7
	d := &diagnosis{Cause: c}
	d.remedies = []Remedy{here("credential", "none on the machine; every wrong try may lock the account", f.again("--user", `'`+f.accountForms()+`'`))}
	if r.ID == wayNTLM {
		d.remedies = append(d.remedies, f.ntlmThere())
	}
	return d
}

// accountForms is the other way of writing the account.
func (f *findings) accountForms() string {
	if user, domain := f.x.options.Credentials.Split(); domain == "" && !strings.Contains(user, "@") {
		return `DOMAIN\` + user
	}
	return f.name() + `\user`
}

// ntlmThere looks whether the host takes NTLM at all.
func (f *findings) ntlmThere() Remedy {
	return Remedy{ID: "ntlm-policy", Where: OnTarget, Prompt: "cmd", Commands: []string{`reg query HKLM\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0 /v RestrictReceivingNTLMTraffic`},
		Effect: "none: with 2 the host takes no NTLM, with 1 none of local accounts' domains; Kerberos or https with Basic then"}
}

func refusedInTheClear(f *findings, r Result) *diagnosis {
	clear := f.x.options.Unencrypted || f.x.target.Scheme == wsmanclient.Basic || f.x.target.Scheme == wsmanclient.Digest
	if r.Code != "0x80070005" || f.x.target.overTLS() || !clear {
		return nil
	}
	return &diagnosis{Cause: likely("the host takes no messages in the clear (AllowUnencrypted is false)", f.again("--auth", "Negotiate"), r.Detail, "messages were not sealed"), remedies: []Remedy{
		here("use-negotiate", "messages are sealed", f.again("--auth", "Negotiate")),
		here("use-https", "TLS hides everything", "casement doctor https://"+f.urlHost())}}
}

func openToClear(f *findings, r Result) *diagnosis {
	if !strings.Contains(r.Detail, "AllowUnencrypted") {
		return nil
	}
	w, c := winrmSet("winrm/config/service", "AllowUnencrypted", "false", "true")
	return &diagnosis{Cause: certain("the host would take messages in the clear (AllowUnencrypted)", r.Detail),
		remedies: f.onTarget("refuse-clear", "programs that do not encrypt are refused", w, c)}
}
