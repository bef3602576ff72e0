package pool

import (
	"context"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// hklm is HKEY_LOCAL_MACHINE of StdRegProv.
const hklm = 0x80000002

// stdRegProv runs a read of the registry; code is its ReturnValue: 0, or 2 where there
// is nothing. Windows has it in root\default in every release.
func (c *collection) stdRegProv(ctx context.Context, method, key, value string) (r cim.Result, code uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, tileLimit)
	defer cancel()
	if c.registry == nil {
		if c.registry, err = c.conn.Session(ctx, `root\default`); err != nil {
			return r, 0, err
		}
	}
	in := cim.Arguments{{Name: "hDefKey", Value: cim.U32(hklm)}, {Name: "sSubKeyName", Value: cim.Str(key)}}
	if value != "" {
		in = append(in, cim.NamedValue{Name: "sValueName", Value: cim.Str(value)})
	}
	r, err = c.registry.Invoke(ctx, cim.ObjectPath{Class: "StdRegProv"}, method, in, cim.OperationOptions{Timeout: tileLimit})
	if err != nil {
		return r, 0, err
	}
	v, err := r.ReturnValue.As(cim.Uint32)
	if err != nil {
		return r, 0, err
	}
	code, _ = v.Uint()
	return r, code, nil
}

// keyExists tells whether a key is there, where that can be told.
func (c *collection) keyExists(ctx context.Context, key string) (exists bool, err error) {
	_, code, err := c.stdRegProv(ctx, "EnumKey", key, "")
	switch {
	case err != nil:
		return false, err
	case code == 0 || code == 2:
		return code == 0, nil
	}
	return false, &cim.Error{Status: cim.ErrFailed, Operation: "EnumKey", Detail: "the registry answers " + strconv.FormatUint(code, 10)}
}

func (c *collection) hasKey(ctx context.Context, key string) bool {
	exists, err := c.keyExists(ctx, key)
	return exists && err == nil
}

// rebootKeys are there while Windows waits for a restart: after servicing, and after
// Windows Update.
var rebootKeys = []string{
	`SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending`,
	`SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired`,
}

// gatherRestart asks whether the machine waits for a restart. Other systems than
// Windows do not tell.
func gatherRestart(ctx context.Context, c *collection) error {
	if !c.windows("6.0") {
		return errNotAsked
	}
	pending := false
	for _, key := range rebootKeys {
		exists, err := c.keyExists(ctx, key)
		if err != nil {
			return err
		}
		pending = pending || exists
	}
	c.next.Facts.RestartPending = &pending
	return nil
}

// gatherSoftware asks an older Windows for what it needs. See spec/winrm.md 9, "Required updates".
func gatherSoftware(ctx context.Context, c *collection) error {
	f := c.next.Facts
	if f == nil || !f.Windows || releaseOf(f.Version).wmf == "" {
		return errNotAsked
	}
	s := &Software{Stack: c.reached.product.stack}
	var err error
	if s.PowerShell, err = c.powerShell(ctx); err != nil {
		return err
	}
	const full = `SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full`
	r, code, err := c.stdRegProv(ctx, "GetDWORDValue", full, "Release")
	if err != nil {
		return err
	}
	if n, ok := outOf(r, "uValue").As(cim.Uint32); code == 0 && ok == nil {
		v, _ := n.Uint()
		s.Framework = frameworkOf(v)
	} else if c.hasKey(ctx, full) {
		s.Framework = "4.0"
	}
	if releaseOf(f.Version).counterFix {
		installed := false
		err := c.each(ctx, tileLimit, "SELECT HotFixID FROM Win32_QuickFixEngineering WHERE HotFixID = 'KB2682011'", 16, func(*cim.Instance) { installed = true })
		if err != nil {
			return err
		}
		s.CounterFix = &installed
	}
	c.next.Software = s
	return nil
}

// powerShell is the version of the newest engine: that of 3.0 and later has a key of
// its own.
func (c *collection) powerShell(ctx context.Context) (string, error) {
	for _, n := range []string{"3", "1"} {
		r, code, err := c.stdRegProv(ctx, "GetStringValue", `SOFTWARE\Microsoft\PowerShell\`+n+`\PowerShellEngine`, "PowerShellVersion")
		if err != nil {
			return "", err
		}
		if s, ok := outOf(r, "sValue").Str(); code == 0 && ok {
			version := strings.Split(clean(s, maxWord), ".")
			return strings.Join(version[:min(2, len(version))], "."), nil
		}
	}
	return "", nil
}

// outOf is an out parameter.
func outOf(r cim.Result, name string) cim.Value {
	for _, o := range r.Out {
		if strings.EqualFold(o.Name, name) {
			return o.Value
		}
	}
	return cim.Value{}
}
