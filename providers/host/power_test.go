//go:build linux

package host

import (
	"context"
	"errors"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/systemd"
	"github.com/casementhq/casement/security"
)

// The flags and values are those of the documentation: 0 success, others a system error code.
func TestStoppingTheMachine(t *testing.T) {
	who := func(remote bool, privileges ...security.Privilege) cim.Caller {
		return cim.Caller{Remote: remote, Token: &security.Token{Privileges: privileges}}
	}
	local, remote := who(false, security.SeShutdown), who(true, security.SeShutdown, security.SeRemoteShutdown)
	flags := func(n int32) cim.Arguments { return cim.Arguments{{Name: "Flags", Value: cim.S32(n)}} }
	for _, c := range []struct {
		name, method string
		caller       cim.Caller
		in           cim.Arguments
		fail         error
		want, done   string
	}{
		{"reboot", "Reboot", local, nil, nil, "0", "Reboot"},
		{"reboot from elsewhere", "Reboot", remote, nil, nil, "0", "Reboot"},
		{"shutdown", "Shutdown", local, nil, nil, "0", "PowerOff"},
		{"nobody", "Reboot", cim.Caller{}, nil, nil, "privilege", ""},
		{"an administrator without the privilege", "Shutdown", administrator(), nil, nil, "privilege", ""},
		{"a local privilege from elsewhere", "Win32Shutdown", who(true, security.SeShutdown), flags(2), nil, "privilege", ""},
		{"log off", "Win32Shutdown", local, flags(0), nil, "50", ""},
		{"halt", "Win32Shutdown", local, flags(1), nil, "0", "Halt"},
		{"forced reboot", "Win32Shutdown", local, flags(6), nil, "0", "Reboot"},
		{"forced power off", "Win32Shutdown", local, flags(12), nil, "0", "PowerOff"},
		{"no such flag", "Win32Shutdown", local, flags(64), nil, "87", ""},
		{"no flag", "Win32Shutdown", local, nil, nil, "87", ""},
		{"logind refuses", "Reboot", local, nil, systemd.ErrDenied, "5", "Reboot"},
		{"no logind", "Reboot", local, nil, systemd.ErrUnavailable, "50", "Reboot"},
		{"logind fails", "Reboot", local, nil, errors.New("inhibited"), "1", "Reboot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			done := ""
			p := New(Options{Power: func(_ context.Context, a systemd.PowerAction) error { done = string(a); return c.fail }})
			r, err := p.invoke(context.Background(), "Win32_OperatingSystem", c.method, &call{caller: c.caller, in: c.in})
			got := r.ReturnValue.String()
			if errors.Is(err, cim.ErrPrivilegeNotHeld) {
				got, err = "privilege", nil
			}
			if err != nil || got != c.want || done != c.done {
				t.Errorf("%s, %v, %q was done; want %s, %q", got, err, done, c.want, c.done)
			}
		})
	}
	r, err := New(Options{}).invoke(context.Background(), "Win32_OperatingSystem", "Reboot", &call{caller: local})
	if err != nil || r.ReturnValue.String() != "50" {
		t.Errorf("a machine that nobody stops: %v, %v", r.ReturnValue, err)
	}
}
