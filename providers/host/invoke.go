package host

import (
	"context"
	"strconv"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/internal/systemd"
	"github.com/casementhq/casement/security"
)

// Return values that the methods here share. See the documentation of Win32_Process.Create and
// Win32_Service.StartService.
const (
	returnOK               = 0
	returnNotSupported     = 1
	returnAccessDenied     = 2
	returnNoPrivilege      = 3
	returnInvalidControl   = 4
	returnNotActive        = 6
	returnTimeout          = 7
	returnUnknownFailure   = 8
	returnPathNotFound     = 9
	returnAlreadyRunning   = 10
	returnDisabled         = 14
	returnInvalidParameter = 21
)

// call is one call of a method.
type call struct {
	caller cim.Caller
	path   cim.ObjectPath
	in     cim.Arguments
}

// method runs a call and gives its return value and out parameters.
type method func(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error)

// methods are the methods that are implemented, by class and name. Those that change the machine ask MayChange.
var methods = map[string]struct {
	run     method
	changes bool
}{
	"win32_process.create":          {createProcess, true},
	"win32_process.terminate":       {terminateProcess, true},
	"win32_process.setpriority":     {setPriority, true},
	"win32_process.getowner":        {getOwner, false},
	"win32_process.getownersid":     {getOwnerSid, false},
	"win32_service.startservice":    {startService, true},
	"win32_service.stopservice":     {stopService, true},
	"win32_service.changestartmode": {changeStartMode, true},

	"win32_service.change":             {changeServiceConfig, true},
	"win32_service.create":             {serviceNotSupported, true},
	"win32_service.delete":             {serviceNotSupported, true},
	"win32_service.interrogateservice": {interrogateService, false},
	"win32_service.pauseservice":       {controlService, true},
	"win32_service.resumeservice":      {controlService, true},
	"win32_service.usercontrolservice": {controlService, true},

	// These check a privilege.
	"win32_operatingsystem.reboot":        {power(systemd.Reboot), false},
	"win32_operatingsystem.shutdown":      {power(systemd.PowerOff), false},
	"win32_operatingsystem.win32shutdown": {win32Shutdown, false},

	"win32_encryptablevolume.getprotectionstatus": {luksMethod(protectionStatus), false},
	"win32_encryptablevolume.getencryptionmethod": {luksMethod(encryptionMethod), false},
	"win32_encryptablevolume.getlockstatus":       {luksMethod(lockStatus), false},
	"win32_encryptablevolume.getconversionstatus": {luksMethod(conversionStatus), false},

	// These act as the Unix user of the caller, who needs no further right.
	"cim_datafile.copy":                   {copyFile, false},
	"cim_datafile.delete":                 {deleteFile, false},
	"cim_datafile.rename":                 {renameFile, false},
	"cim_datafile.compress":               {compressFile, false},
	"cim_datafile.uncompress":             {compressFile, false},
	"win32_directory.copy":                {copyFile, false},
	"win32_directory.delete":              {deleteFile, false},
	"win32_directory.rename":              {renameFile, false},
	"win32_directory.compress":            {compressFile, false},
	"win32_directory.uncompress":          {compressFile, false},
	"win32_nteventlogfile.backupeventlog": {backupEventLog, false},
	"win32_nteventlogfile.cleareventlog":  {clearEventLog, false},
	"win32_share.create":                  {createShare, false},
	"win32_share.delete":                  {deleteShare, false},
}

// Invoke runs a method. See [cimom.MethodInvoker]. A method without the qualifier Implemented fails with
// cim.ErrMethodNotImplemented.
func (p *Provider) Invoke(ctx context.Context, r *cimom.Request, path cim.ObjectPath, name string, in cim.Arguments) (cim.Result, error) {
	return p.invoke(ctx, r.Class.Name, name, &call{caller: r.Caller, path: path, in: in})
}

func (p *Provider) invoke(ctx context.Context, class, name string, c *call) (cim.Result, error) {
	m, ok := methods[cim.Fold(class)+"."+cim.Fold(name)]
	if !ok {
		return cim.Result{}, &cim.Error{Status: cim.ErrMethodNotImplemented, Operation: "Invoke", Path: class + "." + name,
			Detail: "this machine has nothing that the method could do"}
	}
	if m.changes && !p.mayChange(c.caller, class, name) {
		return cim.Result{ReturnValue: cim.U32(returnAccessDenied)}, nil
	}
	value, out, err := m.run(ctx, p, c)
	if err != nil {
		return cim.Result{}, err
	}
	return cim.Result{ReturnValue: cim.U32(value), Out: out}, nil
}

func (p *Provider) mayChange(caller cim.Caller, class, method string) bool {
	if p.o.MayChange != nil {
		return p.o.MayChange(caller, class, method)
	}
	return caller.Token != nil && caller.Token.Has(security.SIDAdministrators)
}

// key is the text of a key of the path.
func (c *call) key(name string) string {
	v, _ := c.path.Key(name)
	return string(v.AppendText(nil))
}

// text is a string argument, "" where the caller gave none.
func (c *call) text(name string) string {
	s, _ := c.in.Get(name).Str()
	return s
}

// pid is the process that the path names; 0 where it names none.
func (c *call) pid() int {
	n, err := strconv.ParseUint(c.key("Handle"), 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}
