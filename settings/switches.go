package settings

import (
	"strings"

	"github.com/casementhq/casement/registry"
)

// Keys of the switches outside the WinRM configuration.
const (
	KeyUAC   = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`
	KeyCIMOM = `HKLM\SOFTWARE\Microsoft\WBEM\CIMOM`
)

// LocalAccountTokenFilterPolicy reports whether local administrators keep their full
// token over the network: DWORD 1. Absent, 0 and damaged values mean that the token is
// filtered.
func LocalAccountTokenFilterPolicy(r Reader) bool {
	v, _, _ := r.Value(KeyUAC, "LocalAccountTokenFilterPolicy")
	n, _ := v.Uint()
	return v.Type() == registry.TypeDWORD && n == 1
}

// SetLocalAccountTokenFilterPolicy is the change that switches it.
func SetLocalAccountTokenFilterPolicy(on bool) Change {
	return Change{Key: KeyUAC, Name: "LocalAccountTokenFilterPolicy", Value: dwordBool(on)}
}

// SetAllowRemoteAccess is the change that switches Service/AllowRemoteAccess on this
// machine: whether WinRM answers other machines at all. Group Policy stands above it.
func SetAllowRemoteAccess(on bool) Change {
	return Change{Key: KeyWSMAN + `\Service`, Name: "AllowRemoteAccess", Value: dwordBool(on)}
}

// Callbacks holds the rules for asynchronous callbacks of WMI over DCOM.
type Callbacks struct {
	AllowAnonymous bool // AllowAnonymousCallback, DWORD; absent is false
	AccessControl  bool // UnsecAppAccessControlDefault, string; absent is false
}

// AnonymousRetry reports whether a callback that failed with authentication may be tried
// anonymously. See [MS-WMI] 3.1.1.1.3.
func (c Callbacks) AnonymousRetry() bool { return c.AllowAnonymous && !c.AccessControl }

// LoadCallbacks reads the rules. A value of the wrong type or range is a Problem and
// counts as the safe side: no anonymous callback.
func LoadCallbacks(r Reader) (Callbacks, []Problem) {
	var c Callbacks
	var bad []Problem
	const anon, access = "AllowAnonymousCallback", "UnsecAppAccessControlDefault"
	if v, src, ok := r.Value(KeyCIMOM, anon); ok {
		n, _ := v.Uint()
		if v.Type() != registry.TypeDWORD || n > 1 {
			bad = append(bad, problem(anon, KeyCIMOM, anon, src, "want a REG_DWORD of 0 or 1"))
		}
		c.AllowAnonymous = v.Type() == registry.TypeDWORD && n == 1
	}
	if v, src, ok := r.Value(KeyCIMOM, access); ok {
		s, isText := v.Text()
		n, isNum := v.Uint()
		switch s = strings.TrimSpace(s); {
		case isText && s == "0", isNum && n == 0:
		case isText && s == "1", isNum && n == 1:
			c.AccessControl = true
		default:
			c.AccessControl = true
			bad = append(bad, problem(access, KeyCIMOM, access, src, `want the REG_SZ "0" or "1"`))
		}
	}
	return c, bad
}

func dwordBool(on bool) registry.Value {
	if on {
		return registry.DWORD(1)
	}
	return registry.DWORD(0)
}
