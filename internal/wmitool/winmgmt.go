package wmitool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// Winmgmt runs winmgmt command lines. See the page "winmgmt" of the WMI
// documentation and spec/wmi.md 7.1.
type Winmgmt struct {
	Connector Connector
	// Recover compiles the files that were noted for the recovery of the
	// repository, and says how it went; nil: there are none.
	Recover func(ctx context.Context) error
	// Host moves WMI to an endpoint of its own (/standalonehost) or back
	// (/sharedhost), and returns the port that it gets.
	Host func(standalone bool, level int) (port uint16, err error)
	// Take moves a backup that the service made to a file; Place copies a file
	// to where the service restores from.
	Take  func(name, file string) error
	Place func(file string) (name string, remove func() error, err error)
	// VerifyCopy says what is wrong with a saved copy of the repository.
	VerifyCopy func(ctx context.Context, path string) (problems []string, err error)
	Out, Err   io.Writer
}

// WinmgmtUsage is the help of winmgmt.
const WinmgmtUsage = `winmgmt works on the repository of this machine.

  winmgmt /verifyrepository [PATH]     tells whether the repository is consistent, or a saved copy: a backup, or a folder
  winmgmt /salvagerepository           keeps what can be read of an inconsistent repository
  winmgmt /resetrepository             empties it: what users stored is gone, what is built in stays
  winmgmt /backup FILE                 copies it into a file
  winmgmt /restore FILE FLAG           replaces it by a backup; FLAG 1 ends the sessions of others, 0 fails while there are any
  winmgmt /standalonehost [LEVEL]      gives WMI over DCOM port 24158 and calls the authentication level 0 to 6 (default 4)
  winmgmt /sharedhost                  undoes it; both take effect after 'net stop winmgmt' and 'net start winmgmt'

A switch begins with / or -. It takes an administrator: root, or the owner of the state folder.

Examples:
  winmgmt /verifyrepository
  winmgmt /backup cimv2.bak
  winmgmt /standalonehost 6

Exit codes: 0 done, 1 failed, 2 wrong command line, 1358 is shown for an inconsistent repository and ends with 1.
`

// errInconsistent is ERROR_INTERNAL_DB_CORRUPTION.
const errInconsistent = 1358

// Run runs one command line without the program's name.
func (w *Winmgmt) Run(ctx context.Context, args []string) int {
	if len(args) == 1 && (args[0] == "/?" || args[0] == "-?" || args[0] == "--help" || args[0] == "-h") {
		fmt.Fprint(w.Out, WinmgmtUsage)
		return 0
	}
	run, err := w.parse(args)
	if err != nil {
		fmt.Fprintf(w.Err, "winmgmt: %v; 'winmgmt /?' shows the switches\n", err)
		return 2
	}
	if err := run(ctx); err != nil {
		fmt.Fprintf(w.Err, "winmgmt: %v\n", err)
		return 1
	}
	return 0
}

// parse makes of a command line what is to be done; nothing is done where it
// is wrong.
func (w *Winmgmt) parse(args []string) (func(context.Context) error, error) {
	if len(args) == 0 {
		return nil, errors.New("a switch is missing")
	}
	name, ok := strings.CutPrefix(strings.Replace(args[0], "-", "/", 1), "/")
	if !ok || name == "" {
		return nil, fmt.Errorf("%q is no switch: one begins with / or -, with its name right behind", args[0])
	}
	operands := args[1:]
	want := func(n int, what string) error {
		if len(operands) != n {
			return fmt.Errorf("/%s takes %s", name, what)
		}
		return nil
	}
	switch strings.ToLower(name) {
	case "verifyrepository":
		if len(operands) == 1 {
			return func(ctx context.Context) error { return w.verifyCopy(ctx, operands[0]) }, nil
		}
		return w.verify, want(0, "at most one path")
	case "salvagerepository":
		return w.salvage, want(0, "no operand")
	case "resetrepository":
		return w.reset, want(0, "no operand")
	case "backup":
		return func(ctx context.Context) error { return w.backup(ctx, operands[0]) }, want(1, "the name of a file")
	case "restore":
		if err := want(2, "the name of a file, and 0 or 1"); err != nil {
			return nil, err
		}
		if operands[1] != "0" && operands[1] != "1" {
			return nil, errors.New("the flag of /restore is 0 or 1")
		}
		return func(ctx context.Context) error { return w.restore(ctx, operands[0], operands[1] == "1") }, nil
	case "standalonehost":
		level := 4
		if len(operands) > 0 {
			var err error
			if level, err = strconv.Atoi(operands[0]); err != nil || level < 0 || level > 6 || len(operands) > 1 {
				return nil, errors.New("/standalonehost takes at most one level, 0 to 6")
			}
		}
		return func(context.Context) error { return w.host(true, level) }, nil
	case "sharedhost":
		return func(context.Context) error { return w.host(false, 0) }, want(0, "no operand")
	case "resyncperf":
		return nil, errors.New("/resyncperf has nothing to do: performance classes are built in and read the kernel")
	}
	return nil, fmt.Errorf("/%s is no switch of winmgmt", name)
}

// repositoryClass has the methods that work on the repository.
var repositoryClass = cim.ObjectPath{Class: "Casement_Repository"}

// call runs a method of Casement_Repository; code is its return value.
func (w *Winmgmt) call(ctx context.Context, method string, in cim.Arguments) (code uint64, out cim.NamedArray, err error) {
	session, err := w.Connector.Session(ctx, Target{}, "root")
	if err != nil {
		return 0, nil, err
	}
	defer session.Close()
	result, err := session.Invoke(ctx, repositoryClass, method, in, cim.OperationOptions{})
	if err != nil {
		return 0, nil, err
	}
	code, _ = result.ReturnValue.Uint()
	return code, result.Out, nil
}

func (w *Winmgmt) problems(out cim.NamedArray) {
	for _, p := range out.Get("Problems").Elems() {
		text, _ := p.Str()
		fmt.Fprintln(w.Out, "  "+text)
	}
}

func (w *Winmgmt) verify(ctx context.Context) error {
	code, out, err := w.call(ctx, "Verify", nil)
	if err != nil {
		return err
	}
	if code == errInconsistent {
		fmt.Fprintln(w.Out, "WMI repository is inconsistent (1358):")
		w.problems(out)
		return errors.New("the repository is inconsistent: 'winmgmt /salvagerepository' keeps what can be read")
	}
	if err := failed("Verify", "root", cim.U32(uint32(code))); err != nil { // #nosec G115 -- a status is 32 bits
		return err
	}
	fmt.Fprintln(w.Out, "WMI repository is consistent")
	return nil
}

// verifyCopy checks a saved copy; it needs no service.
func (w *Winmgmt) verifyCopy(ctx context.Context, path string) error {
	problems, err := w.VerifyCopy(ctx, path)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		fmt.Fprintln(w.Out, "WMI repository is consistent")
		return nil
	}
	fmt.Fprintf(w.Out, "WMI repository is inconsistent (%d):\n", errInconsistent)
	for _, p := range problems {
		fmt.Fprintln(w.Out, "  "+p)
	}
	return errors.New("the copy is inconsistent")
}

func (w *Winmgmt) salvage(ctx context.Context) error {
	code, out, err := w.call(ctx, "Salvage", nil)
	if err == nil {
		err = failed("Salvage", "root", cim.U32(uint32(code))) // #nosec G115 -- a status is 32 bits
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(w.Out, "WMI repository has been salvaged")
	w.problems(out)
	return nil
}

func (w *Winmgmt) reset(ctx context.Context) error {
	code, _, err := w.call(ctx, "Reset", nil)
	if err == nil {
		err = failed("Reset", "root", cim.U32(uint32(code))) // #nosec G115 -- a status is 32 bits
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(w.Out, "WMI repository has been reset")
	if w.Recover == nil {
		return nil
	}
	return w.Recover(ctx)
}

func (w *Winmgmt) host(standalone bool, level int) error {
	port, err := w.Host(standalone, level)
	if err != nil {
		return err
	}
	if standalone {
		fmt.Fprintf(w.Out, "WMI over DCOM gets port %d and the authentication level %d\n", port, level)
	} else {
		fmt.Fprintln(w.Out, "WMI over DCOM shares the service's endpoint: its port is dynamic and its authentication level 4")
	}
	fmt.Fprintln(w.Out, "It takes effect when WMI starts next: 'net stop winmgmt' and 'net start winmgmt', or with the service.")
	return nil
}
