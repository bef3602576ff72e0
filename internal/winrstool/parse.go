// Package winrstool is the winrs command as a library: it runs a command in a
// remote shell of WinRM, with its input, output and exit code. See spec section
// 2 and [MS-WSMV] 3.1.4.1.31.
package winrstool

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
)

// Command is a command line that was read. Use Parse.
type Command struct {
	Remote      string // [TRANSPORT://]TARGET[:PORT]
	HasRemote   bool
	User        string
	HasUser     bool
	Password    string
	HasPassword bool
	Unencrypted bool
	SSL         bool
	Directory   string
	Environment []winrs.Variable
	NoEcho      bool
	NoProfile   bool
	Delegate    bool
	Compress    bool
	Help        bool
	// Line is the command, verbatim.
	Line string

	hasDirectory bool
}

// String hides the password.
func (c Command) String() string { return fmt.Sprintf("{%s %s}", c.Remote, c.User) }

// GoString hides the password.
func (c Command) GoString() string { return c.String() }

// UsageError is a command line that cannot be read. Nothing was tried.
type UsageError struct{ Message string }

// Error says what is wrong.
func (e *UsageError) Error() string { return e.Message }

func usage(format string, args ...any) error {
	return &UsageError{Message: fmt.Sprintf(format, args...)}
}

// A switchDef is one switch: what it is called in full, how few letters of it
// are enough, and whether a value follows a colon.
type switchDef struct {
	name  string
	min   int
	value bool
	set   func(c *Command, v string) error
}

func on(field func(*Command) *bool) func(*Command, string) error {
	return func(c *Command, _ string) error { *field(c) = true; return nil }
}

var switchDefs = []switchDef{
	{"remote", 1, true, func(c *Command, v string) error { c.Remote, c.HasRemote = v, true; return nil }},
	{"unencrypted", 2, false, on(func(c *Command) *bool { return &c.Unencrypted })},
	{"username", 1, true, func(c *Command, v string) error { c.User, c.HasUser = v, true; return nil }},
	{"password", 1, true, func(c *Command, v string) error { c.Password, c.HasPassword = v, true; return nil }},
	{"timeout", 1, true, func(_ *Command, v string) error {
		if _, err := strconv.ParseUint(v, 10, 32); err != nil {
			return usage("/timeout takes seconds, not %q", clip(v))
		}
		return nil // has had no effect since WinRM 2.0
	}},
	{"directory", 1, true, func(c *Command, v string) error { c.Directory, c.hasDirectory = v, true; return nil }},
	{"environment", 3, true, func(c *Command, v string) error { return c.addVariable(v) }},
	{"noecho", 3, false, on(func(c *Command) *bool { return &c.NoEcho })},
	{"noprofile", 3, false, on(func(c *Command) *bool { return &c.NoProfile })},
	{"allowdelegate", 13, false, on(func(c *Command) *bool { return &c.Delegate })},
	{"ad", 2, false, on(func(c *Command) *bool { return &c.Delegate })},
	{"compression", 4, false, on(func(c *Command) *bool { return &c.Compress })},
	{"usessl", 6, false, on(func(c *Command) *bool { return &c.SSL })},
	{"ssl", 3, false, on(func(c *Command) *bool { return &c.SSL })},
	{"?", 1, false, on(func(c *Command) *bool { return &c.Help })},
	{"help", 4, false, on(func(c *Command) *bool { return &c.Help })},
	{"-help", 5, false, on(func(c *Command) *bool { return &c.Help })},
}

func findSwitch(name string) *switchDef {
	for i := range switchDefs {
		if strings.EqualFold(switchDefs[i].name, name) {
			return &switchDefs[i]
		}
	}
	for i := range switchDefs {
		d := &switchDefs[i]
		if len(name) >= d.min && len(name) < len(d.name) && strings.EqualFold(d.name[:len(name)], name) {
			return d
		}
	}
	return nil
}

// maxVariable bounds one variable of the environment in bytes.
const maxVariable = 32 << 10

func (c *Command) addVariable(v string) error {
	name, value, found := strings.Cut(v, "=")
	if !found || name == "" || len(v) > maxVariable {
		return usage("/environment takes one NAME=VALUE, not %q", clip(v))
	}
	c.Environment = append(c.Environment, winrs.Variable{Name: name, Value: value})
	return nil
}

// Parse reads a command line without the program's name. Switches begin with /
// or - and stand before the command; what begins with its first word is the
// command and is not looked at. See spec section 2.
func Parse(args []string) (*Command, error) {
	c := &Command{}
	seen := map[string]bool{}
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '/' || args[0][0] == '-') {
		name, value, given := strings.Cut(args[0][1:], ":")
		d := findSwitch(name)
		switch {
		case d == nil:
			return nil, usage("there is no switch %s (winrs /?)", clip(args[0][:1]+name))
		case d.value && (!given || value == ""):
			return nil, usage("the switch /%s needs a value: /%s:VALUE", d.name, d.name)
		case !d.value && given:
			return nil, usage("the switch /%s takes no value", d.name)
		case seen[d.name] && d.name != "environment":
			return nil, usage("the switch /%s is given twice", d.name)
		}
		seen[d.name] = true
		if err := d.set(c, value); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	if c.Help || (len(args) == 0 && len(seen) == 0) {
		c.Help = true
		return c, nil
	}
	c.Line = commandLine(args)
	return c, c.check()
}

// commandLine is the command as it was typed. A shell has taken quotes away
// where one argument of several holds blanks; they are put back.
func commandLine(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if a == "" || strings.ContainsAny(a, " \t") && !strings.Contains(a, `"`) {
			words[i] = `"` + a + `"`
		}
	}
	return strings.Join(words, " ")
}

func (c *Command) check() error {
	switch {
	case strings.TrimSpace(c.Line) == "":
		return usage("no command is named (winrs /?)")
	case c.HasPassword && !c.HasUser:
		return wsman.NewFault(wsman.CodeUserNameAndPasswordNeeded, "/password needs /username")
	case c.Compress:
		return usage("/compression is not built in; leave it out, the streams are then not compressed")
	}
	return nil
}

// endpoint is the connection string with /usessl applied. See spec section 2.
func (c *Command) endpoint() (string, error) {
	at := c.Remote
	if at == "" {
		at = "localhost"
	}
	if !c.SSL {
		return at, nil
	}
	transport, rest, found := strings.Cut(at, "://")
	switch {
	case !found:
		return "https://" + at, nil
	case strings.EqualFold(transport, "http"):
		return "", wsman.NewFault(codeUseSSL, "/usessl contradicts the endpoint "+clip(at))
	}
	return transport + "://" + rest, nil
}

const (
	codeUseSSL             wsman.Code = 0x803381BE
	codeCredSSPCredentials wsman.Code = 0x803381A1
)

// clip bounds what a user wrote for a message.
func clip(s string) string {
	if len(s) > 128 {
		return s[:128] + "…"
	}
	return s
}
