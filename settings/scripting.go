package settings

import "strings"

// KeyScripting is where the defaults of the scripting interface stand.
const KeyScripting = `HKLM\SOFTWARE\Microsoft\WBEM\Scripting`

// Scripting holds the defaults of clients of WMI for what a moniker leaves out.
// See "Constructing a Moniker String".
type Scripting struct {
	// ImpersonationLevel is "Default Impersonation Level", REG_DWORD: 1 Anonymous,
	// 2 Identify, 3 Impersonate, the default, 4 Delegate.
	ImpersonationLevel uint32
	// Namespace is "Default Namespace", REG_SZ; default root\cimv2.
	Namespace string
}

// LoadScripting reads the defaults. A value that is damaged or out of range is a
// Problem, and its default holds.
func LoadScripting(r Reader) (Scripting, []Problem) {
	const name = "Default Namespace"
	s := Scripting{Namespace: `root\cimv2`}
	var bad []Problem
	s.ImpersonationLevel, bad = loadDWORD(r, KeyScripting, "Default Impersonation Level", 3, 1, 4)
	v, src, ok := r.Value(KeyScripting, name)
	if !ok {
		return s, bad
	}
	text, isText := v.Text()
	if text = strings.Trim(strings.ReplaceAll(text, "/", `\`), `\ `); !isText || text == "" {
		return s, append(bad, problem(name, KeyScripting, name, src, "want the REG_SZ of a namespace"))
	}
	s.Namespace = text
	return s, bad
}
