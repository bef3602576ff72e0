package host

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/procs"
)

// createProcess starts a process as the caller's Unix user. ProcessId is NULL unless it succeeds.
func createProcess(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	none := cim.NamedArray{{Name: "ProcessId", Value: cim.Null(cim.Uint32)}}
	commandLine := c.text("CommandLine")
	switch {
	case commandLine == "":
		return returnInvalidParameter, none, nil
	case p.o.Start == nil:
		return returnAccessDenied, none, nil
	}
	pid, value, err := p.o.Start(ctx, c.caller, commandLine, c.text("CurrentDirectory"), c.in.Get("ProcessStartupInformation").Object())
	if err != nil {
		p.log.Warn("Win32_Process.Create failed", "error", err)
		if value == returnOK {
			value = returnUnknownFailure
		}
	}
	if value != returnOK {
		return value, none, nil
	}
	return returnOK, cim.NamedArray{{Name: "ProcessId", Value: cim.U32(pid)}}, nil
}

func terminateProcess(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	pid := c.pid()
	if pid == 0 {
		return returnInvalidParameter, nil, nil
	}
	if p.o.Kill == nil {
		return killProcess(pid), nil, nil
	}
	value, err := p.o.Kill(ctx, c.caller, pid)
	if err != nil {
		p.log.Warn("Win32_Process.Terminate failed", "pid", pid, "error", err)
		if value == returnOK {
			value = returnUnknownFailure
		}
	}
	return value, nil, nil
}

// killProcess ends a process as the user of the service.
func killProcess(pid int) uint32 {
	proc, err := os.FindProcess(pid)
	if err == nil {
		defer proc.Release()
		err = proc.Kill()
	}
	switch {
	case err == nil:
		return returnOK
	case errors.Is(err, os.ErrProcessDone), errors.Is(err, syscall.ESRCH):
		return returnPathNotFound
	case errors.Is(err, os.ErrPermission):
		return returnAccessDenied
	}
	return returnUnknownFailure
}

// niceOf are the nice values for the priority classes of Win32_Process.SetPriority; processPriority reads them back.
// Real time becomes the best that is no real-time policy, as on Windows for callers without the privilege for it.
var niceOf = map[int64]int{64: 19, 16384: 10, 32: 0, 32768: -5, 128: -15, 256: -20}

func setPriority(_ context.Context, _ *Provider, c *call) (uint32, cim.NamedArray, error) {
	class, ok := c.in.Get("Priority").Int()
	nice, known := niceOf[class]
	if !ok || !known || c.pid() == 0 {
		return returnInvalidParameter, nil, nil
	}
	switch err := renice(c.pid(), nice); {
	case err == nil:
		return returnOK, nil, nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return returnPathNotFound, nil, nil
	case errors.Is(err, syscall.EACCES): // raising it takes CAP_SYS_NICE
		return returnNoPrivilege, nil, nil
	case errors.Is(err, os.ErrPermission):
		return returnAccessDenied, nil, nil
	}
	return returnUnknownFailure, nil, nil
}

// owner is the effective user of the process that the path names.
func (p *Provider) owner(c *call) (uid uint32, value uint32) {
	t, err := p.openProcs()
	if err != nil {
		return 0, returnUnknownFailure
	}
	proc, err := t.One(c.pid(), procs.Status)
	switch {
	case errors.Is(err, procs.ErrNotExist):
		return 0, returnPathNotFound
	case err != nil:
		return 0, returnUnknownFailure
	case proc.Known&procs.Status == 0:
		return 0, returnAccessDenied
	}
	return proc.EUID, returnOK
}

func getOwner(_ context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	user, domain := cim.Null(cim.String), cim.Null(cim.String)
	uid, value := p.owner(c)
	if value == returnOK {
		name, where := p.userName(uid)
		user, domain = cim.Str(name), strOrNull(where)
	}
	return value, cim.NamedArray{{Name: "User", Value: user}, {Name: "Domain", Value: domain}}, nil
}

// userName is the Casement account of a Unix user, else its name in /etc/passwd, else the number, as ps(1) has it.
func (p *Provider) userName(uid uint32) (name, domain string) {
	if p.o.Account != nil {
		if _, domain, name, ok := p.o.Account(uid); ok {
			return name, domain
		}
	}
	if u, ok := p.userByID(uid); ok {
		return u.name, p.hostName()
	}
	return strconv.FormatUint(uint64(uid), 10), p.hostName()
}

func getOwnerSid(_ context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	sid := cim.Null(cim.String)
	uid, value := p.owner(c)
	if value == returnOK {
		sid = strOrNull(p.sidOfUser(uid))
	}
	return value, cim.NamedArray{{Name: "Sid", Value: sid}}, nil
}
