package doctor

import "strings"

// uacFilters explains a refusal after a good sign-in of a local account that is not
// the built-in Administrator, over either transport: the codes do not tell a
// filtered administrator from an account without rights, so that this is likely.
// See spec/wmi.md 1.4 and spec/winrm.md 5.7.
func uacFilters(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80070005" || !f.x.localAccount() || f.x.builtIn() {
		return nil
	}
	if f.x.target.asks("winrm") && f.passed("winrm.authorize") {
		return nil // a filtered administrator would be refused there as well
	}
	machine, user := splitAccount(f.x.options.Credentials.Username)
	admin := "Administrator"
	if machine != "" {
		admin = machine + `\` + admin
	}
	c := likely("UAC filters this account: "+f.x.account()+" is a local administrator whose rights are taken away for remote use",
		f.again("--as", shellWord(admin))+"; if that works, it is UAC. If not: launch rights (dcom.launch)",
		"local account", "not the built-in Administrator", "password accepted")
	c.Check, c.Row = "uac.filter", 9
	if f.code("winrm.authorize") == failed.Code && (f.code("dcom.activate") == failed.Code || f.code("dcom.call") == failed.Code) {
		c.For = append(c.For, "both ways refuse after it")
	}
	if f.passed("wmi.namespace") {
		c.Against = append(c.Against, "DCOM lets the account in")
	}
	if machine != "" && hasNoName(f.name()) {
		c.Against = append(c.Against, "the machine was named by its address: the account may be one of a domain")
	}
	return &diagnosis{Cause: c, remedies: f.liftFilter(user)}
}

// liftFilter are the ways around UAC, the one that switches it off last.
func (f *findings) liftFilter(user string) []Remedy {
	return append(append([]Remedy{f.wholeAccount()}, f.grantWithoutUAC(user)...), f.tokenFilter()...)
}

// wholeAccount uses one that UAC does not filter.
func (f *findings) wholeAccount() Remedy {
	return f.manageAs("none on " + f.name() + ": a domain account that is administrator there, or the built-in Administrator")
}

// tokenFilter switches the filter off.
func (f *findings) tokenFilter() []Remedy {
	return f.set("token-filter", "last: every local administrator gets full rights over the network", uacKey, uacPolicy, "REG_DWORD", "1", "0")
}

// grantWithoutUAC gives an account rights of its own.
func (f *findings) grantWithoutUAC(user string) []Remedy {
	var groups []string
	if f.x.target.asks("dcom") {
		groups = append(groups, "Distributed COM Users")
	}
	if f.x.target.asks("winrm") {
		groups = append(groups, f.remoteUsers())
	}
	const rights = " 'Enable Account,Remote Enable'"
	ns := strings.ReplaceAll(f.x.target.namespace(), `\`, "/") + " " + shellWord(user)
	var w, c typed
	for _, g := range groups {
		w.do = append(w.do, `net localgroup "`+g+`" `+cmdWord(user)+" /add")
		w.undo = append(w.undo, `net localgroup "`+g+`" `+cmdWord(user)+" /delete")
		c.do = append(c.do, "casement group add '"+g+"' "+shellWord(user))
		c.undo = append(c.undo, "casement group remove '"+g+"' "+shellWord(user))
	}
	w.do = append(w.do, `wmimgmt.msc: WMI Control, Properties, Security, `+f.x.target.namespace()+`, Security: `+user+`: Enable Account, Remote Enable`)
	c.do = append(c.do, "casement wmi sd grant "+ns+rights)
	c.undo = append(c.undo, "casement wmi sd revoke "+ns+rights)
	list := f.onTarget("grant", "rights without lifting UAC; sees less than an administrator", w, c)
	for n, m := range list {
		list[n].Fix = m.Fix && m.Prompt != "cmd" // one of these is clicked
	}
	return list
}

// filteredResults explains answers that are shorter than what there is.
func filteredResults(f *findings, failed Result) *diagnosis {
	if failed.Outcome != Warn || !f.x.dcom.filter.member {
		return nil
	}
	c := certain("UAC filters this account: it sees less than an administrator, without an error", "local account", "a member of Administrators", "without an administrator's rights in the namespace")
	c.Row = 40
	if f.x.dcom.filter.read {
		c.For = append(c.For, uacPolicy+": "+f.x.dcom.filter.policy.String())
	} else {
		c.Confidence, c.Test = Likely, `on the host: reg query HKLM\`+uacKey+" /v "+uacPolicy+"; where it is 1, nothing is filtered"
	}
	return &diagnosis{Cause: c, remedies: append([]Remedy{f.wholeAccount()}, f.tokenFilter()...)}
}
