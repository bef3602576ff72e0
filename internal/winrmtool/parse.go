package winrmtool

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Command is a command line that was read. Use Parse.
type Command struct {
	Verb     string // get, set, create, delete, enumerate, invoke, identify, quickconfig, configsddl, helpmsg, help
	Args     []string
	Target   wsman.EPR
	Action   string // of invoke
	Input    []property
	HasInput bool
	Conn     Connection

	Format       string // text, xml or pretty
	File         string
	Fragment     string
	HasFragment  bool
	Filter       string
	Dialect      string
	Mode         wsman.EnumerationMode
	Shallow      bool
	BaseOnly     bool
	Associations bool
	Options      wsman.OptionSet
	Timeout      time.Duration // 0: the client's own
	UTF16        bool
	Quiet, Force bool
	Transport    string
	SDDL         string
	Help         bool

	auth, proxyAuth     []string
	port, encoding      string
	timeout, format     string
	returnType, options string
	hasCertificate      bool
	hasSDDL             bool
	given               map[string]bool
}

// Connection is what the switches say of the connection.
type Connection struct {
	Remote         string // as typed; see Endpoint
	HasRemote      bool
	User, Password string
	HasUser        bool
	HasPassword    bool
	Scheme         wsmanclient.Scheme
	Certificate    string // thumbprint
	DefaultCreds   bool
	SSL            bool
	Unencrypted    bool
	Port           uint16 // 0: that of the endpoint
	SkipCA         bool
	SkipCN         bool
	SkipRevocation bool
	SPNPort        bool
	ProxyAccess    string // ie_settings, winhttp_settings, auto_detection, no_proxy or ""
	ProxyAuth      string
	ProxyUser      string
	ProxyPassword  string

	hasProxyPassword bool
}

// String hides the secrets.
func (c Connection) String() string { return fmt.Sprintf("{%s %s}", c.Remote, c.User) }

// GoString hides the secrets.
func (c Connection) GoString() string { return c.String() }

// verbs maps what may be typed to the verb, and tells how many arguments it
// takes at least and at most.
var verbs = map[string]string{
	"get": "get", "g": "get",
	"set": "set", "s": "set", "put": "set",
	"create": "create", "c": "create",
	"delete": "delete", "d": "delete",
	"enumerate": "enumerate", "e": "enumerate", "enum": "enumerate",
	"invoke": "invoke", "i": "invoke",
	"identify": "identify", "id": "identify",
	"quickconfig": "quickconfig", "qc": "quickconfig",
	"configsddl": "configsddl", "helpmsg": "helpmsg", "help": "help",
}

var arity = map[string][2]int{
	"get": {1, 1}, "set": {1, 1}, "create": {1, 1}, "delete": {1, 1}, "enumerate": {1, 1}, "invoke": {2, 2},
	"identify": {0, 0}, "quickconfig": {0, 0}, "configsddl": {0, 2}, "helpmsg": {1, 1}, "help": {0, 1},
}

// Parse reads a command line without the program's name. A wrong one is a
// *UsageError, a combination of switches that WinRM refuses is a *wsman.Fault
// with the documented code. See spec sections 1.1 to 1.4.
func Parse(args []string) (*Command, error) {
	c := &Command{given: map[string]bool{}}
	args = joinInput(args)
	for _, arg := range args {
		switch {
		case isInput(arg):
			if c.HasInput {
				return nil, usage("there is more than one @{} input")
			}
			list, err := parseInput(arg)
			if err != nil {
				return nil, err
			}
			c.Input, c.HasInput = list, true
		case isSwitch(arg) && !(c.Verb == "helpmsg" && isNumber(arg)):
			if err := c.apply(arg); err != nil {
				return nil, err
			}
		case c.Verb == "":
			if c.Verb = verbs[strings.ToLower(arg)]; c.Verb == "" {
				return nil, usage("there is no operation %q (winrm -?)", clip(arg))
			}
		default:
			c.Args = append(c.Args, arg)
		}
	}
	if c.Verb == "" {
		c.Verb = "help"
		if len(c.given) > 0 && !c.Help {
			return nil, usage("no operation is named (winrm -?)")
		}
		return c, nil
	}
	if c.Help {
		return c, nil
	}
	return c, c.finish()
}

func isInput(arg string) bool {
	return strings.HasPrefix(strings.TrimLeft(arg, "' \t"), "@{")
}

func isNumber(arg string) bool {
	_, err := strconv.ParseInt(arg, 0, 64)
	return err == nil
}

// joinInput puts together @{} input that a shell split at its blanks.
func joinInput(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if isInput(arg) {
			for !inputEnds(arg) && i+1 < len(args) && !isSwitch(args[i+1]) {
				i++
				arg += " " + args[i]
			}
		}
		out = append(out, arg)
	}
	return out
}

func inputEnds(arg string) bool {
	return strings.HasSuffix(strings.TrimRight(arg, "' \t"), "}")
}

// finish reads what the switches hold and checks how they go together.
func (c *Command) finish() error {
	n := arity[c.Verb]
	if len(c.Args) < n[0] || len(c.Args) > n[1] {
		return usage("winrm %s takes %s (winrm %s -?)", c.Verb, arguments(c.Verb), c.Verb)
	}
	if err := c.allowed(); err != nil {
		return err
	}
	for _, step := range []func() error{c.readTarget, c.readPlain, c.readConnection, c.checkCombination} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// arguments says in words what a verb takes.
func arguments(verb string) string {
	switch verb {
	case "invoke":
		return "an action and a resource URI"
	case "helpmsg":
		return "one error number"
	case "help":
		return "at most one topic"
	case "configsddl":
		return "at most a resource URI and a descriptor"
	case "identify", "quickconfig":
		return "switches only"
	}
	return "one resource URI"
}

func (c *Command) readTarget() (err error) {
	switch c.Verb {
	case "get", "set", "create", "delete", "enumerate":
		c.Target, err = parseResource(c.Args[0])
	case "invoke":
		c.Action = c.Args[0]
		if c.Action == "" {
			return fault(codeBlankAction, "invoke needs an action")
		}
		c.Target, err = parseResource(c.Args[1])
	}
	return err
}

// readPlain reads the switches that do not concern the connection.
func (c *Command) readPlain() error {
	switch f := strings.ToLower(strings.TrimPrefix(c.format, "#")); f {
	case "", "text":
		c.Format = "text"
	case "xml", "pretty":
		c.Format = f
	default:
		return usage("-format is text, xml or pretty, not %q", clip(c.format))
	}
	switch strings.ToLower(c.returnType) {
	case "", "object":
	case "epr":
		c.Mode = wsman.EnumerateEPR
	case "objectandepr":
		c.Mode = wsman.EnumerateObjectAndEPR
	default:
		return fault(wsman.CodeEnumerationModeUnsupported, "-returntype is object, epr or objectandepr, not %q", clip(c.returnType))
	}
	switch strings.ToLower(c.encoding) {
	case "", "utf-8":
	case "utf-16":
		c.UTF16 = true
	default:
		return fault(wsman.CodeCharacterSet, "-encoding is utf-8 or utf-16, not %q", clip(c.encoding))
	}
	if c.HasFragment && strings.TrimSpace(c.Fragment) == "" {
		return fault(wsman.CodeInvalidFragmentPathBlank, "the path of -fragment is blank; name a property")
	}
	if c.given["options"] {
		list, err := parseHash(strings.TrimPrefix(strings.TrimSpace(c.options), "@"))
		if err != nil {
			return err
		}
		for _, p := range list {
			c.Options = append(c.Options, wsman.Option{Name: p.Name, Value: p.Value, Nil: p.Null})
		}
	}
	return c.readTimeout()
}

// minTimeout is the shortest OperationTimeout, as for MaxTimeoutms.
const minTimeout = 500

func (c *Command) readTimeout() error {
	if !c.given["timeout"] {
		return nil
	}
	ms, err := strconv.ParseUint(c.timeout, 10, 32)
	if err != nil {
		return usage("-timeout takes milliseconds, not %q", clip(c.timeout))
	}
	if ms < minTimeout {
		return fault(wsman.CodeUnsupportedTimeout, "-timeout:%d is too small; %d ms is the least", ms, minTimeout)
	}
	c.Timeout = time.Duration(ms) * time.Millisecond
	return nil
}

// uses says which switches beside those of the connection a verb takes.
var uses = map[string]string{
	"get":         "format fragment options timeout encoding",
	"set":         "format fragment options timeout encoding file",
	"create":      "format options timeout encoding file",
	"delete":      "format options timeout encoding",
	"enumerate":   "format options timeout encoding filter dialect returntype shallow basepropertiesonly associations",
	"invoke":      "format options timeout encoding file",
	"identify":    "format timeout encoding",
	"quickconfig": "quiet force transport",
	"configsddl":  "sddl timeout",
}

// allowed refuses switches and input that the verb has no use for.
func (c *Command) allowed() error {
	own := strings.Fields(uses[c.Verb])
	connects := c.Verb != "helpmsg" && c.Verb != "help" && c.Verb != "quickconfig"
	for name := range c.given {
		ok := connects && connectionSwitches[name]
		for _, u := range own {
			ok = ok || u == name
		}
		if !ok {
			return usage("winrm %s has no use for -%s (winrm %s -?)", c.Verb, name, c.Verb)
		}
	}
	if c.HasInput && c.Verb != "set" && c.Verb != "create" && c.Verb != "invoke" {
		return usage("winrm %s takes no @{} input", c.Verb)
	}
	if c.HasInput && c.File != "" {
		return usage("@{} input and -file: exclude each other")
	}
	return nil
}

var connectionSwitches = map[string]bool{
	"remote": true, "username": true, "password": true, "authentication": true, "certificate": true, "defaultCreds": true,
	"usessl": true, "unencrypted": true, "port": true, "skipCAcheck": true, "skipCNcheck": true, "skipRevocationcheck": true,
	"SPNPort": true, "proxyaccess": true, "proxyauth": true, "proxyusername": true, "proxypassword": true,
}
