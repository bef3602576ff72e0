package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/registry"
)

const regHelp = `reg reads and changes the HKEY_LOCAL_MACHINE hive of the state folder. A running service
follows each change at once.

  reg query  KEY [/v NAME | /ve] [/s] [/t TYPE]       shows values and keys; /s: all below
  reg add    KEY [/v NAME | /ve] [/t TYPE] [/s SEP] [/d DATA] [/f]
  reg delete KEY [/v NAME | /ve | /va] [/f]           a value, the default value, all values, or the key
  reg export KEY FILE [/y]                            FILE may be -
  reg import FILE

KEY     HKLM\... or HKEY_LOCAL_MACHINE\...; blanks around a backslash do not count.
        In a POSIX shell put it in single quotes; 'casement cmd' needs no quotes.
TYPE    REG_SZ (default), REG_EXPAND_SZ, REG_MULTI_SZ, REG_DWORD, REG_QWORD, REG_BINARY, REG_NONE
DATA    numbers are decimal or 0x...; binary data are hexadecimal digits; the strings of a
        REG_MULTI_SZ are divided by \0, or by SEP
/f      asks no question

--state DIR   the state folder (default: $CASEMENT_STATE, else that of 'casement up')

Examples:
  reg query 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN' /s
  reg add 'HKLM\SOFTWARE\Microsoft\WBEM\CIMOM' /v AllowAnonymousCallback /t REG_DWORD /d 1 /f

Exit codes: 0 done, 1 not found, refused, or a wrong command line.
`

func init() { listed("reg", "Query and change the registry hive (syntax of reg.exe)", regHelp, runReg) }

// regVerbs are the verbs with the switches that each knows; true: it has an operand.
var regVerbs = map[string]struct {
	switches map[string]bool
	run      func(*regCall) error
}{
	"query":  {map[string]bool{"v": true, "ve": false, "s": false, "t": true}, regQuery},
	"add":    {map[string]bool{"v": true, "ve": false, "t": true, "s": true, "d": true, "f": false}, regAdd},
	"delete": {map[string]bool{"v": true, "ve": false, "va": false, "f": false}, regDelete},
	"export": {map[string]bool{"y": false}, regExport},
	"import": {map[string]bool{}, regImport},
}

// regCall is one parsed command line of reg.
type regCall struct {
	s        Streams
	state    string
	operands []string          // key, file
	switches map[string]string // lower-case names
}

func (c *regCall) has(name string) bool { _, ok := c.switches[name]; return ok }

// value is the value name that /v or /ve gives; given is false where there is none.
func (c *regCall) value() (name string, given bool, err error) {
	if c.has("v") && c.has("ve") {
		return "", false, regUsage("/v and /ve exclude each other")
	}
	return c.switches["v"], c.has("v") || c.has("ve"), nil
}

func regUsage(format string, args ...any) error {
	return &exitError{code: exitFailure, err: fmt.Errorf("reg: "+format+"; 'reg /?' shows the syntax", args...)}
}

func runReg(_ context.Context, s Streams, args []string) error {
	state, args, err := takeState(args)
	if err != nil {
		return err
	}
	if wantsHelp(args) {
		_, err := fmt.Fprint(s.Out, regHelp)
		return err
	}
	if len(args) == 0 {
		return regUsage("a verb is missing: query, add, delete, export or import")
	}
	verb, ok := regVerbs[strings.ToLower(args[0])]
	if !ok {
		return regUsage("unknown verb %q: query, add, delete, export or import", args[0])
	}
	call := &regCall{s: s, state: state, switches: map[string]string{}}
	if err := call.parse(args[1:], verb.switches); err != nil {
		return err
	}
	if err := verb.run(call); err != nil {
		return err
	}
	return nil
}

func (c *regCall) parse(args []string, known map[string]bool) error {
	for i := 0; i < len(args); i++ {
		// A path of this machine begins as a switch does.
		if len(args[i]) < 2 || args[i][0] != '/' && args[i][0] != '-' || strings.ContainsAny(args[i][1:], `/.`) {
			c.operands = append(c.operands, args[i])
			continue
		}
		name := strings.ToLower(args[i][1:])
		operand, ok := known[name]
		if !ok {
			return regUsage("unknown switch %s", args[i])
		}
		if c.has(name) {
			return regUsage("%s stands twice", args[i])
		}
		c.switches[name] = ""
		if operand {
			if i++; i == len(args) {
				return regUsage("%s needs a value", args[i-1])
			}
			c.switches[name] = args[i]
		}
	}
	return nil
}

// key joins the words of a key, which blanks around backslashes and in names
// tear apart, and checks its root.
func (c *regCall) key(words []string) (string, error) {
	if len(words) == 0 {
		return "", regUsage("the key is missing")
	}
	key := strings.Join(words, " ")
	if strings.HasPrefix(key, `\\`) {
		return "", regUsage("the key %s names another machine; run reg there with 'casement run HOST -- reg ...'", key)
	}
	parts, err := registry.SplitKey(key)
	if err == nil {
		return registry.JoinKey(parts...), nil
	}
	root, _, slash := strings.Cut(key, `\`)
	upper := strings.ToUpper(strings.TrimSpace(root))
	if !slash && (strings.HasPrefix(upper, "HKLM") || strings.HasPrefix(upper, "HKEY_LOCAL_MACHINE")) {
		return "", regUsage(`the key %s has no backslash: a shell eats them, put it in single quotes ('HKLM\...') or use 'casement cmd'`, key)
	}
	if slices.Contains([]string{"HKCU", "HKEY_CURRENT_USER", "HKCR", "HKEY_CLASSES_ROOT", "HKU", "HKEY_USERS", "HKCC", "HKEY_CURRENT_CONFIG"}, upper) {
		return "", regUsage("the root %s is not kept here, only HKLM (HKEY_LOCAL_MACHINE)", root)
	}
	return "", regUsage("%w", err)
}

// longKey is the key with the long name of its root, as reg.exe prints it.
func longKey(key string) string {
	return "HKEY_LOCAL_MACHINE" + strings.TrimPrefix(key, "HKLM")
}

func noKey(key string) error {
	return fmt.Errorf("reg: the key %s is not there", longKey(key))
}
