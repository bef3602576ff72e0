package doctor

import (
	"strings"
)

// typed are command lines and those that undo them.
type typed struct{ do, undo []string }

// onTarget is what to type on the machine, in the commands of its software; in
// those of both where it is not known.
func (f *findings) onTarget(id, effect string, windows, casement typed) []Remedy {
	kind := f.x.facts().kind
	var list []Remedy
	if kind != casementHost && windows.do != nil {
		list = append(list, Remedy{ID: id, Where: OnTarget, Prompt: "cmd", Commands: windows.do, Undo: windows.undo, Effect: effect, Fix: f.fixable(windowsHost, windows.do)})
	}
	if kind != windowsHost && casement.do != nil {
		m := Remedy{ID: id, Where: OnTarget, Prompt: "sh", Commands: casement.do, Undo: casement.undo, Effect: effect, Fix: f.fixable(casementHost, casement.do)}
		if kind == unknownHost && windows.do != nil {
			m.ID += "-casement"
			m.Effect = "the same, where the machine runs casement"
		}
		list = append(list, m)
	}
	return list
}

// fixable tells whether Apply can carry commands out: a way is open, and where
// the machine runs casement, whose shells are nobody's that could change it, they
// are what is done without one.
func (f *findings) fixable(kind hostKind, commands []string) bool {
	channel := f.channel()
	if channel == "" || f.x.facts().kind != kind {
		return false
	}
	for _, c := range commands {
		switch {
		case strings.Contains(c, ".msc"), strings.Contains(c, `"THUMBPRINT"`): // a window; a word that is to be filled in
			return false
		case kind == casementHost && native(c, channel == "winrm") == nil:
			return false
		}
	}
	return true
}

// channel is the transport by which commands can be run on the machine all the
// same, "" for none.
func (f *findings) channel() string {
	switch {
	case f.passed("winrm.authorize"):
		return "winrm"
	case f.passed("wmi.namespace"):
		return "dcom"
	}
	return ""
}

// here is what to type on this machine.
func here(id, effect string, do ...string) Remedy {
	return Remedy{ID: id, Where: OnConsole, Prompt: "sh", Commands: do, Effect: effect}
}

// steps are what cannot be typed.
func steps(id string, where Place, effect string, do ...string) Remedy {
	return Remedy{ID: id, Where: where, Prompt: "steps", Commands: do, Effect: effect}
}

// winrmSet is a setting of the machine's WinRM, with what it was before.
func winrmSet(resource, name, value, before string) (windows, casement typed) {
	set := func(v string) string { return "winrm set " + resource + ` @{` + name + `="` + v + `"}` }
	sh := func(v string) string { return ownPrefix + "winrm set " + resource + ` '@{` + name + `="` + v + `"}'` }
	return typed{[]string{set(value)}, []string{set(before)}}, typed{[]string{sh(value)}, []string{sh(before)}}
}

// name is how the user names the machine.
func (f *findings) name() string { return f.x.target.Name }

// again is the doctor's command line for this machine.
func (f *findings) again(more ...string) string {
	return strings.TrimSpace("casement doctor " + f.x.target.command() + " " + strings.Join(more, " "))
}

// certain and likely make causes.
func certain(title string, signs ...string) Cause {
	return Cause{Confidence: Certain, Title: title, For: signs}
}

func likely(title, test string, signs ...string) Cause {
	return Cause{Confidence: Likely, Title: title, Test: test, For: signs}
}
