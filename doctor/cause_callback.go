package doctor

import (
	"fmt"
	"runtime"
)

// The causes of a callback that does not arrive, each with the leg that fails and
// on which machine it is mended. See spec/wmi.md 1.7.
func init() {
	explain("callback.in135", namespaceForbidsCallbacks, hostMayNotCall, ownFirewall, cannotReachThis)
	explain("callback.sink", ownFirewall, hostMayNotCall, identityNotVerified, cannotReachSink)
	explain("callback.level", hostMayNotCall, levelTooLow, identityNotVerified, neverCalled)
	explain("callback.anonymous", sinksAreChecked, anonymousRefused)
	explain("callback.allow", anonymousWithoutNeed, hostMayNotCall)
}

// semisynchronous is what needs no callback at all.
func semisynchronous() Remedy {
	return steps("semisynchronous", OnConsole, "nothing has to be opened; the documented advice",
		"use semisynchronous calls, as Casement does by itself; in a program ExecQuery with WBEM_FLAG_RETURN_IMMEDIATELY and WBEM_FLAG_FORWARD_ONLY")
}

// letIn lets the host in to the ports of this machine.
func (f *findings) letIn() []Remedy {
	host := f.x.dialled()
	if runtime.GOOS == "windows" {
		return []Remedy{{ID: "let-callback-in", Where: OnConsole, Prompt: "cmd", Commands: []string{ruleDCOM, ruleSink}, Undo: []string{undoRule("DCOM"), undoRule("UnsecApp")},
			Effect: "hosts reach port 135 and the sinks of unsecapp; a program with sinks of its own needs a rule for itself"}}
	}
	m := here("let-callback-in", "the kernel lets "+host+" in; on Windows: the rules DCOM and UnsecApp",
		fmt.Sprintf("nft insert rule inet filter input ip saddr %s tcp dport { %s } accept", host, f.x.dcom.callback.whereTo()))
	m.Undo = nftUndo
	m.Verify = f.again("--callbacks", "--sink-port", fmt.Sprint(f.x.dcom.callback.ports.Objects))
	return []Remedy{m, f.ownRules()}
}

// ownRules are those of the state folder of this machine.
func (f *findings) ownRules() Remedy {
	m := here("own-firewall", "the rules of the state folder let hosts in to port 135 and to 'casement unsecapp'; a program with a sink of its own needs a rule for itself", "casement firewall enable "+ownGroup)
	m.Undo = []string{"casement firewall disable " + ownGroup}
	return m
}

// permitAnonymousHere lets calls without authentication in.
func (f *findings) permitAnonymousHere() []Remedy {
	limit := here("anonymous-limit", "for this machine; on Windows: dcomcnfg, My Computer, COM Security, Access Permissions, Edit Limits: ANONYMOUS LOGON, Remote Access",
		`casement dcomcnfg grant --limits access "ANONYMOUS LOGON" remote-access`)
	limit.Undo = []string{`casement dcomcnfg revoke --limits access "ANONYMOUS LOGON" remote-access`}
	return []Remedy{here("anonymous-here", "for one program: whoever has the host's address and guesses random numbers of 128 bits can show events that did not happen",
		"casement watch dcom://"+f.name()+" 'SELECT * FROM Win32_ProcessStartTrace' --async --anonymous"), limit}
}

// letOut lets the host dial.
func (f *findings) letOut() []Remedy {
	return f.onTarget("wmi-out", "WMI of the host may dial out", typed{[]string{ruleOut}, []string{undoRule("WMI_OUT")}},
		typed{[]string{"casement firewall enable " + ownGroup}, []string{"casement firewall disable " + ownGroup}})
}

// allowAnonymous permits it on the host.
func (f *findings) allowAnonymous() (list []Remedy) {
	const effect = "the host calls without authentication where it cannot with; leave it alone where the machines are in one domain or trust each other"
	if s := f.x.dcom.allow; s.read && !s.control.is(0) {
		list = f.set("callback-control", "the host's sinks are not checked, and it may call without authentication", cimomKey, controlName, "REG_SZ", "0", "1")
	}
	if s := f.x.dcom.allow; s.read && s.allow.is(1) {
		return list
	}
	return append(list, f.set("allow-anonymous-callback", effect, cimomKey, allowName, "REG_DWORD", "1", "0", "net stop winmgmt", "net start winmgmt")...)
}

// trust is what makes all the rest needless.
func (f *findings) trust() Remedy {
	return steps("trust", InDomain, "the host proves who it is; nothing anonymous is needed", "have both machines in one domain, or in domains that trust each other; on Linux: casement keytab add FILE")
}

// untrusted is a sign that only a call without authentication can come.
func (f *findings) untrusted() []string {
	if f.x.localAccount() {
		return []string{"signed in as an account of the host itself: there may be no trust, and only an anonymous callback could arrive"}
	}
	return nil
}

func namespaceForbidsCallbacks(f *findings, failed Result) *diagnosis {
	t := f.x.dcom.callback
	if t == nil || t.denied == nil {
		return nil
	}
	if !t.sealed {
		return nil
	}
	return &diagnosis{Cause: Cause{Check: "callback.encrypted", Confidence: Certain, Row: 39, Title: "asynchronous calls are refused: the namespace demands encryption, and the host cannot encrypt to this machine",
		For: []string{failed.Code + " at once, though semisynchronous calls work", "a call that is not sealed is refused in " + f.x.target.namespace(), "the host's log has event 5606"}},
		remedies: []Remedy{semisynchronous(), f.trust()}}
}

func hostMayNotCall(f *findings, failed Result) *diagnosis {
	t, s := f.x.dcom.callback, f.x.dcom.allow
	if t == nil || failed.Outcome != Fail {
		return nil
	}
	d := &diagnosis{Cause: Cause{Check: "callback.allow", Row: 38, Title: "CIMOM: asynchronous calls give no results, since the host may not call without authentication and has no other way", For: f.untrusted()}}
	switch {
	case s.read && !s.anonymous() && (t.dropped || t.onlyUnproven()):
		d.Confidence = Certain
		if s.allow.is(1) {
			d.Title = "CIMOM: asynchronous calls give no results, since the host checks who calls sinks and so never calls without authentication: UnsecAppAccessControlDefault is not 0"
		}
		d.For = append(d.For, fmt.Sprintf("%s is %s, %s is %s", allowName, s.allow, controlName, s.control))
	case !s.read && t.dropped:
		d.Confidence = Likely
		d.Test = `on the host: reg query HKLM\SOFTWARE\Microsoft\WBEM\CIMOM`
	default:
		return nil
	}
	if why := t.notVerified(); why != "" {
		d.For = append(d.For, why)
	}
	if t.dropped {
		d.For = append(d.For, "the host drops the operation before it dials")
	}
	d.remedies = append([]Remedy{semisynchronous(), f.trust()}, f.allowAnonymous()...)
	d.remedies = append(d.remedies, f.permitAnonymousHere()...)
	return d
}

func ownFirewall(f *findings, failed Result) *diagnosis {
	t := f.x.dcom.callback
	if t == nil {
		return nil
	}
	t.mu.Lock()
	shut := t.shutOut()
	t.mu.Unlock()
	if shut == nil || failed.Outcome != Fail {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 38, Title: "asynchronous calls give no results: the firewall of this machine refuses the host",
		For: []string{fmt.Sprintf("%s came to port %d: %v", shut.Peer, shut.Port, shut.Err)}}, remedies: []Remedy{semisynchronous(), f.ownRules()}}
}

func cannotReachThis(f *findings, failed Result) *diagnosis {
	t := f.x.dcom.callback
	if t == nil || t.denied != nil {
		return nil
	}
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: 38, Title: "asynchronous calls give no results: " + f.name() + " cannot reach this machine",
		For: append([]string{"the call was accepted", failed.Detail}, f.untrusted()...)}}
	d.remedies = append([]Remedy{semisynchronous()}, f.letIn()...)
	d.remedies = append(d.remedies, f.letOut()...)
	if s := f.x.dcom.allow; !s.read || !s.anonymous() {
		d.remedies = append(d.remedies, f.allowAnonymous()...)
	}
	return d
}

func cannotReachSink(f *findings, failed Result) *diagnosis {
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 38, Title: fmt.Sprintf("asynchronous calls give no results: %s reaches the resolver of this machine, and not the port of the sink", f.name()),
		For: []string{failed.Detail}}, remedies: append([]Remedy{semisynchronous()}, f.letIn()...)}
}

func levelTooLow(f *findings, failed Result) *diagnosis {
	if failed.Code != "0x80070005" {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 38, Title: "asynchronous calls give no results: the host calls the sink at an authentication level below packet", For: []string{failed.Detail}},
		remedies: []Remedy{semisynchronous(), f.trust()}}
}

func identityNotVerified(f *findings, failed Result) *diagnosis {
	t := f.x.dcom.callback
	if t == nil || !t.onlyUnproven() {
		return nil
	}
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: 38, Title: "asynchronous calls give no results: this machine cannot verify who the host proves to be", For: []string{failed.Detail}}}
	d.remedies = []Remedy{semisynchronous(), f.trust()}
	return d
}

func neverCalled(f *findings, failed Result) *diagnosis {
	return &diagnosis{Cause: Cause{Confidence: Likely, Row: 38, Title: "asynchronous calls give no results: the host connects to the sink and does not call it", For: []string{failed.Detail},
		Test: "the log of the host: an asynchronous operation that is cancelled, with its stage"}, remedies: []Remedy{semisynchronous()}}
}

// sinksAreChecked is the process of the sinks that takes the host's own account alone.
func sinksAreChecked(f *findings, failed Result) *diagnosis {
	if !f.x.dcom.callback.checked() {
		return nil
	}
	_, off := regAdd(cimomKey, controlName, "REG_SZ", "0")
	_, on := regAdd(cimomKey, controlName, "REG_SZ", "1")
	m := here("sink-control", "calls to sinks are not checked", off)
	m.Undo = []string{on}
	return &diagnosis{Cause: Cause{Confidence: Certain, Row: 38, Title: "CIMOM: this machine lets only the host's own account call its sinks, and the host calls without authentication: UnsecAppAccessControlDefault is 1 here",
		For: []string{failed.Detail}}, remedies: []Remedy{semisynchronous(), f.trust(), m}}
}

func anonymousRefused(f *findings, failed Result) *diagnosis {
	d := &diagnosis{Cause: Cause{Confidence: Certain, Row: 38, Title: "DCOM: asynchronous calls give no results, since this machine refuses the host's call without authentication: ANONYMOUS LOGON lacks Remote Access",
		For: append([]string{"the host reaches the sink and calls it without authentication"}, f.untrusted()...)}}
	d.For = append(d.For, failed.Detail)
	d.remedies = append([]Remedy{semisynchronous(), f.trust()}, f.permitAnonymousHere()...)
	return d
}

// anonymousWithoutNeed is the switch that is to be left alone in a common domain.
func anonymousWithoutNeed(f *findings, failed Result) *diagnosis {
	if failed.Outcome != Warn {
		return nil
	}
	return &diagnosis{Cause: Cause{Confidence: Certain, Title: "CIMOM: the host may call back without authentication, and need not: AllowAnonymousCallback is 1", For: []string{"the callback came authenticated"}},
		remedies: f.set("forbid-anonymous-callback", "callbacks go on, all of them authenticated", cimomKey, allowName, "REG_DWORD", "0", "1")}
}
