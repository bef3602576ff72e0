package winrmtool

import (
	"strings"
)

// A switchDef is one switch of the command line. Its names are matched without
// case; every beginning of the first name that is at least min letters long
// stands for it, the others are matched whole. See spec section 1.3.
type switchDef struct {
	names []string
	min   int // 0: the name cannot be shortened
	flag  bool
	set   func(c *Command, value string)
}

func text(field func(*Command) *string) func(*Command, string) {
	return func(c *Command, v string) { *field(c) = v }
}

func flag(field func(*Command) *bool) func(*Command, string) {
	return func(c *Command, _ string) { *field(c) = true }
}

var switchDefs = []switchDef{
	{names: []string{"remote"}, min: 1, set: func(c *Command, v string) { c.Conn.Remote, c.Conn.HasRemote = v, true }},
	{names: []string{"username"}, min: 1, set: func(c *Command, v string) { c.Conn.User, c.Conn.HasUser = v, true }},
	{names: []string{"password"}, min: 1, set: func(c *Command, v string) { c.Conn.Password, c.Conn.HasPassword = v, true }},
	{names: []string{"authentication"}, min: 1, set: func(c *Command, v string) { c.auth = append(c.auth, v) }},
	{names: []string{"certificate"}, min: 1, set: func(c *Command, v string) { c.Conn.Certificate, c.hasCertificate = v, true }},
	{names: []string{"defaultCreds"}, flag: true, set: flag(func(c *Command) *bool { return &c.Conn.DefaultCreds })},
	{names: []string{"usessl", "ssl"}, flag: true, set: flag(func(c *Command) *bool { return &c.Conn.SSL })},
	{names: []string{"unencrypted"}, min: 2, flag: true, set: flag(func(c *Command) *bool { return &c.Conn.Unencrypted })},
	{names: []string{"port"}, set: text(func(c *Command) *string { return &c.port })},
	{names: []string{"skipCAcheck"}, flag: true, set: flag(func(c *Command) *bool { return &c.Conn.SkipCA })},
	{names: []string{"skipCNcheck"}, flag: true, set: flag(func(c *Command) *bool { return &c.Conn.SkipCN })},
	{names: []string{"skipRevocationcheck"}, flag: true, set: flag(func(c *Command) *bool { return &c.Conn.SkipRevocation })},
	{names: []string{"SPNPort"}, flag: true, set: flag(func(c *Command) *bool { return &c.Conn.SPNPort })},
	{names: []string{"encoding"}, set: text(func(c *Command) *string { return &c.encoding })},
	{names: []string{"timeout"}, set: text(func(c *Command) *string { return &c.timeout })},
	{names: []string{"format"}, min: 1, set: text(func(c *Command) *string { return &c.format })},
	{names: []string{"file"}, set: func(c *Command, v string) { c.File = v }},
	{names: []string{"fragment"}, set: func(c *Command, v string) { c.Fragment, c.HasFragment = v, true }},
	{names: []string{"filter"}, set: text(func(c *Command) *string { return &c.Filter })},
	{names: []string{"dialect"}, set: text(func(c *Command) *string { return &c.Dialect })},
	{names: []string{"returntype"}, set: text(func(c *Command) *string { return &c.returnType })},
	{names: []string{"shallow"}, flag: true, set: flag(func(c *Command) *bool { return &c.Shallow })},
	{names: []string{"basepropertiesonly"}, flag: true, set: flag(func(c *Command) *bool { return &c.BaseOnly })},
	{names: []string{"associations"}, flag: true, set: flag(func(c *Command) *bool { return &c.Associations })},
	{names: []string{"options", "option"}, set: text(func(c *Command) *string { return &c.options })},
	{names: []string{"proxyaccess"}, set: text(func(c *Command) *string { return &c.Conn.ProxyAccess })},
	{names: []string{"proxyauth"}, set: func(c *Command, v string) { c.proxyAuth = append(c.proxyAuth, v) }},
	{names: []string{"proxyusername"}, set: text(func(c *Command) *string { return &c.Conn.ProxyUser })},
	{names: []string{"proxypassword"}, set: func(c *Command, v string) { c.Conn.ProxyPassword, c.Conn.hasProxyPassword = v, true }},
	{names: []string{"quiet"}, min: 1, flag: true, set: flag(func(c *Command) *bool { return &c.Quiet })},
	{names: []string{"force"}, flag: true, set: flag(func(c *Command) *bool { return &c.Force })},
	{names: []string{"transport"}, set: text(func(c *Command) *string { return &c.Transport })},
	{names: []string{"sddl"}, set: func(c *Command, v string) { c.SDDL, c.hasSDDL = v, true }},
	{names: []string{"?", "help", "-help"}, flag: true, set: flag(func(c *Command) *bool { return &c.Help })},
}

// isSwitch tells a switch from a positional argument.
func isSwitch(arg string) bool {
	return len(arg) > 1 && (arg[0] == '-' || arg[0] == '/')
}

// findSwitch finds the switch of a name, nil for none.
func findSwitch(name string) *switchDef {
	for i := range switchDefs {
		d := &switchDefs[i]
		for _, full := range d.names {
			if strings.EqualFold(full, name) {
				return d
			}
		}
	}
	for i := range switchDefs {
		d := &switchDefs[i]
		full := d.names[0]
		if d.min > 0 && len(name) >= d.min && len(name) < len(full) && strings.EqualFold(full[:len(name)], name) {
			return d
		}
	}
	return nil
}

// apply puts one switch of the command line into the command.
func (c *Command) apply(arg string) error {
	name, value, given := strings.Cut(arg[1:], ":")
	d := findSwitch(name)
	if d == nil {
		return usage("there is no switch %s (winrm help switches)", clip(arg[:1]+name))
	}
	if d.flag && given {
		return usage("the switch -%s takes no value", d.names[0])
	}
	if !d.flag && !given {
		return usage("the switch -%s needs a value: -%s:VALUE", d.names[0], d.names[0])
	}
	key := d.names[0]
	if c.given[key] && key != "authentication" && key != "proxyauth" {
		return usage("the switch -%s is given twice", key)
	}
	c.given[key] = true
	d.set(c, value)
	return nil
}
