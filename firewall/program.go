package firewall

import "strings"

// samePart reports whether a rule's program is a part of Windows that this machine has:
// the last part of the path decides, in any case. Shells take backslashes that are not
// quoted, so a path counts without them too.
func samePart(rule, part string) bool {
	if strings.EqualFold(rule, part) || part != ProgramSystem && strings.EqualFold(lastPart(rule), lastPart(part)) {
		return true
	}
	rule, part = windowsFolder(rule), windowsFolder(part)
	return rule != "" && equalButSlashes(rule, part)
}

func lastPart(path string) string { return path[strings.LastIndexAny(path, `\/`)+1:] }

// windowsFolder cuts the names of the folder of Windows off a path, "" where it has none.
func windowsFolder(path string) string {
	for _, name := range []string{"%systemroot%", "%windir%", `c:\windows`, "c:windows"} {
		if len(path) > len(name) && strings.EqualFold(path[:len(name)], name) {
			return path[len(name):]
		}
	}
	return ""
}

// equalButSlashes compares in any case of ASCII, and as if there were no slashes.
func equalButSlashes(a, b string) bool {
	for {
		for a != "" && (a[0] == '\\' || a[0] == '/') {
			a = a[1:]
		}
		for b != "" && (b[0] == '\\' || b[0] == '/') {
			b = b[1:]
		}
		if a == "" || b == "" {
			return a == b
		}
		if lower(a[0]) != lower(b[0]) {
			return false
		}
		a, b = a[1:], b[1:]
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// sameProgram reports whether a rule is for a program: for all where it names none, for
// a part of Windows as samePart has it, and for another one by its path, or by a name
// without a path.
func sameProgram(rule, program string) bool {
	switch {
	case rule == "":
		return true
	case program == ProgramSystem, strings.HasPrefix(program, "%"):
		return samePart(rule, program)
	case strings.Contains(program, `\`): // a path of Windows
		return strings.EqualFold(rule, lastPart(program)) || equalButSlashes(rule, program)
	}
	return rule == program || rule == lastPart(program)
}
