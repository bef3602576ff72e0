package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/wmitool"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
)

const mofcompHelp = `mofcomp compiles MOF: it stores classes and instances in the repository.

  mofcomp [switches] FILE

  -check                 only looks for mistakes in the text; needs no service
  -N:NAMESPACE           where objects go for which the text names none (default root\default);
                         -N:\\HOST\NAMESPACE is on another machine
  -class:createonly|forceupdate|safeupdate|updateonly
  -instance:createonly|updateonly
  -autorecover           notes the file for the recovery of the repository, as #pragma autorecover does
  -AMENDMENT:MS_409 -MOF:FILE -MFL:FILE
                         splits the text into a neutral and a localized one, and stores nothing
  -U:USER -P:PASSWORD -A:AUTHORITY
                         the account for another machine; without -P the password is asked for. With an
                         authority, NTLMDomain:DOMAIN, the machine is reached over DCOM, else over WinRM

Objects are stored one after the other. The first that fails ends it, and those before it stay.

--state DIR   the state folder (default: $CASEMENT_STATE, else that of 'casement up')

Examples:
  mofcomp -check things.mof
  mofcomp -N:root\cimv2 things.mof

Exit codes: 0 done, 1 an object could not be stored or there is no connection, 2 wrong switch, 3 a
mistake in the text.
`

func init() {
	listed("mofcomp", "Compile MOF into the repository (switches of mofcomp.exe)", mofcompHelp, runMofcomp)
	listed("winmgmt", "Check, back up and restore the repository (switches of winmgmt.exe)",
		wmitool.WinmgmtUsage+"\nA binary or link by the name of winmgmt is this tool.\n\nExamples:\n  casement winmgmt /verifyrepository\n  casement winmgmt /backup before.bak", runWinmgmt)
}

// wmiConnector opens the sessions of mofcomp and winmgmt.
type wmiConnector struct {
	d     *dialer
	conns map[wmitool.Target]*casement.Connection
}

func newWMIConnector(s Streams, state string) (*wmiConnector, error) {
	r := &remote{state: &state, operation: time.Minute}
	d, err := r.open(s)
	return &wmiConnector{d: d, conns: map[wmitool.Target]*casement.Connection{}}, err
}

// Session implements wmitool.Connector.
func (c *wmiConnector) Session(ctx context.Context, t wmitool.Target, namespace string) (cim.Session, error) {
	conn := c.conns[t]
	if conn == nil {
		var err error
		if conn, err = c.dial(ctx, t); err != nil {
			return nil, err
		}
		c.conns[t] = conn
	}
	return conn.Session(ctx, namespaceOf(namespace))
}

func (c *wmiConnector) dial(ctx context.Context, t wmitool.Target) (*casement.Connection, error) {
	switch {
	case t.Host == "" && (t.User != "" || t.Authority != ""):
		return nil, &cim.Error{Status: cim.ErrLocalCredentials, Operation: "connect", Detail: "user and authority belong to a connection to another machine"}
	case t.Host == "":
		return c.d.dial(ctx, ".")
	case t.User == "" && t.Authority == "":
		return c.d.dial(ctx, t.Host)
	}
	o := c.d.base
	o.User, o.Password, o.DCOM.Authority = t.User, t.Password, t.Authority
	host := t.Host
	if t.Authority != "" { // which only DCOM knows
		host = "dcom://" + host
	}
	return casement.Dial(ctx, host, o)
}

func (c *wmiConnector) close() error {
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(append(errs, c.d.close())...)
}

// autorecover is the list of files that are compiled again when the repository
// is rebuilt. See spec/wmi.md 2.9.
const (
	autorecoverKey  = `HKLM\SOFTWARE\Microsoft\WBEM\CIMOM`
	autorecoverName = "Autorecover MOFs"
)

func noteForRecovery(state, path string) error {
	return withState(state, func(st *service.State) error {
		return st.Hive.Update(func(tx *registry.Tx) error {
			v, _ := tx.Get(autorecoverKey, autorecoverName)
			list, _ := v.Strings()
			if slices.Contains(list, path) {
				return nil
			}
			return tx.Set(autorecoverKey, autorecoverName, registry.MultiSZ(append(list, path)...))
		})
	})
}

func runMofcomp(ctx context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	if len(args) == 0 || wantsHelp(args) {
		fmt.Fprint(s.Out, mofcompHelp)
		return nil
	}
	c, err := newWMIConnector(s, state)
	if err != nil {
		return err
	}
	return errors.Join(exitCode(mofcomp(s, c, state).Run(ctx, args)), c.close())
}

func mofcomp(s Streams, c *wmiConnector, state string) *wmitool.MOFCompiler {
	return &wmitool.MOFCompiler{
		Connector: c, Password: passwordOf(s), Out: harmless{s.Out}, Err: harmless{s.Err},
		Autorecover: func(path string) error { return noteForRecovery(state, path) },
	}
}

func runWinmgmt(ctx context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	c, err := newWMIConnector(s, state)
	if err != nil {
		return err
	}
	dir := stateFolder(state)
	w := &wmitool.Winmgmt{
		Connector: c, Out: harmless{s.Out}, Err: harmless{s.Err},
		Take:       func(name, file string) error { return service.TakeBackup(dir, name, file) },
		Place:      func(file string) (string, func() error, error) { return service.PlaceBackup(dir, file) },
		VerifyCopy: service.VerifyCopy,
		Recover:    func(ctx context.Context) error { return recoverMOFs(ctx, s, c, state) },
		Host:       func(standalone bool, level int) (uint16, error) { return hostWMI(state, standalone, level) },
	}
	return errors.Join(exitCode(w.Run(ctx, args)), c.close())
}

// hostWMI writes down where WMI over DCOM is served when it starts next.
func hostWMI(state string, standalone bool, level int) (port uint16, err error) {
	err = withState(state, func(st *service.State) error {
		return st.Hive.Update(func(tx *registry.Tx) error {
			if !standalone {
				return settings.Apply(tx, settings.SharedHost())
			}
			var changes []settings.Change
			changes, port = st.Snapshot().DCOM.StandaloneHost(uint32(level)) // #nosec G115 -- 0 to 6
			return settings.Apply(tx, changes)
		})
	})
	return port, err
}

// recoverMOFs compiles the files that were noted, in the order of the list.
func recoverMOFs(ctx context.Context, s Streams, c *wmiConnector, state string) error {
	var list []string
	err := withState(state, func(st *service.State) error {
		v, _ := st.Hive.Get(autorecoverKey, autorecoverName)
		list, _ = v.Strings()
		return nil
	})
	for _, path := range list {
		if _, gone := os.Stat(path); gone != nil {
			fmt.Fprintf(s.Err, "winmgmt: %s was noted for recovery and cannot be read: %v\n", path, gone)
			continue
		}
		if code := mofcomp(s, c, state).Run(ctx, []string{"-autorecover", path}); code != exitOK {
			err = errors.Join(err, fmt.Errorf("%s was not compiled again", path))
		}
	}
	return err
}
