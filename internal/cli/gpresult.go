package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/casementhq/casement/internal/gpedit"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
)

const gpresultHelp = `gpresult shows which policies of Group Policy are in force on this machine and where they come from.

  gpresult /r             the policies, one line each
  gpresult /v             with their options
  gpresult /z             with the registry values too, those of other programs included
  /scope computer         policies of the computer; there are no others here

--state DIR   the state folder (default: $CASEMENT_STATE, else that of 'casement up')

Exit codes: 0 shown, 1 refused, or a wrong command line.
`

const gpupdateHelp = `gpupdate has the policies of this machine read again. A running service follows Registry.pol by
itself; this tells at once whether the file can be used.

  gpupdate [/force] [/target:computer]

--state DIR   the state folder (default: $CASEMENT_STATE, else that of 'casement up')

Exit codes: 0 read, 1 the file cannot be used or access is denied, or a wrong command line.
`

func init() {
	listed("gpresult", "Show the policies in force (syntax of gpresult.exe)", gpresultHelp, runGpresult)
	listed("gpupdate", "Read the policies again (syntax of gpupdate.exe)", gpupdateHelp, runGpupdate)
}

// policySwitches reads the switches of a tool: each as /name, /name:value or -name.
func policySwitches(tool string, args []string, known map[string]bool) (map[string]string, error) {
	given := map[string]string{}
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "/")
		if !ok {
			name, ok = strings.CutPrefix(args[i], "-")
		}
		name, value, has := strings.Cut(strings.ToLower(name), ":")
		operand, there := known[name]
		if !ok || !there || has && !operand {
			return nil, fmt.Errorf("%s: %q is no switch of it here; '%s /?' shows the syntax", tool, args[i], tool)
		}
		if operand && !has {
			if i++; i == len(args) {
				return nil, fmt.Errorf("%s: /%s needs a value", tool, name)
			}
			value = strings.ToLower(args[i])
		}
		given[name] = value
	}
	return given, nil
}

func runGpresult(_ context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	if wantsHelp(args) || len(args) == 0 {
		fmt.Fprint(s.Out, gpresultHelp)
		if len(args) == 0 {
			return exitCode(exitFailure)
		}
		return nil
	}
	given, err := policySwitches("gpresult", args, map[string]bool{"r": false, "v": false, "z": false, "scope": true})
	if err != nil {
		return err
	}
	if scope, ok := given["scope"]; ok && scope != "computer" {
		return fmt.Errorf("gpresult: /scope %s: policies of users are not kept here, only those of the computer", scope)
	}
	_, v := given["v"]
	_, z := given["z"]
	return withState(state, func(st *service.State) error { return printPolicyResult(s.Out, st, v || z, z) })
}

func printPolicyResult(w io.Writer, st *service.State, options, values bool) error {
	file := st.Hive.Policy()
	fmt.Fprintln(w, "COMPUTER SETTINGS")
	if host, err := os.Hostname(); err == nil {
		fmt.Fprintf(w, "    Computer          %s\n", host)
	}
	info, err := os.Stat(st.Hive.PolicyFile())
	if errors.Is(err, fs.ErrNotExist) {
		_, err := fmt.Fprintln(w, "    No Group Policy Object is applied.")
		return err
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "    Applied           Local Group Policy\n    Comes from        %s\n    Last changed      %s\n",
		st.Hive.PolicyFile(), info.ModTime().Format(time.DateTime))
	n := 0
	for _, p := range gpedit.Policies() {
		set := p.Read(file)
		if set.State == gpedit.NotConfigured {
			continue
		}
		n++
		fmt.Fprintf(w, "\n    %s: %s\n        %s\\%s\n", set.State, p.Name, gpedit.Root, p.Folder)
		if set.Damage != "" {
			fmt.Fprintf(w, "        Damaged: %s\n", printableLines(set.Damage))
		}
		if !options {
			continue
		}
		for _, g := range set.Options {
			fmt.Fprintf(w, "        %s=%s\n", g.Name, printableLines(g.Text))
		}
		for _, e := range file.Entries {
			if values && p.Has(e) {
				fmt.Fprintf(w, "        %s\n", printableLines(gpedit.Describe(e)))
			}
		}
	}
	foreign := gpedit.Foreign(file)
	if n == 0 && len(foreign) == 0 {
		fmt.Fprintln(w, "\n    It sets nothing.")
	}
	if len(foreign) > 0 && !values {
		fmt.Fprintf(w, "\n    %d more entries are none of our policies; /z shows them.\n", len(foreign))
	}
	if len(foreign) > 0 && values {
		fmt.Fprintln(w, "\n    Other entries")
		for _, e := range foreign {
			fmt.Fprintf(w, "        %s\n", printableLines(gpedit.Describe(e)))
		}
	}
	return nil
}

func runGpupdate(_ context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	if wantsHelp(args) {
		_, err := fmt.Fprint(s.Out, gpupdateHelp)
		return err
	}
	given, err := policySwitches("gpupdate", args, map[string]bool{"force": false, "target": true})
	if err != nil {
		return err
	}
	if t, ok := given["target"]; ok && t != "computer" {
		return fmt.Errorf("gpupdate: /target:%s: policies of users are not kept here, only those of the computer", t)
	}
	return withState(state, func(st *service.State) error {
		file := st.Hive.PolicyFile()
		now := time.Now()
		// A service that runs looks at a file whose time changes.
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			if err := os.Chtimes(file, now, now); err != nil {
				return err
			}
		}
		policy := st.Hive.Policy()
		if bad := gpedit.Check(policy); len(bad) > 0 {
			return fmt.Errorf("gpupdate: %s has values that cannot be used (%#x):\n  %s", file, 0x80338088, strings.Join(bad, "\n  "))
		}
		_, err := fmt.Fprintf(s.Out, "Computer policy was read: %s of %s.\n", entries(policy), file)
		return err
	})
}

func entries(p *registry.Policy) string {
	if len(p.Entries) == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", len(p.Entries))
}
