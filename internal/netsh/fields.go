package netsh

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/firewall"
)

// field is a field of a rule on a line. Its values in two rules are equal where get gives the same text, case aside.
type field struct {
	name string
	set  func(r *firewall.Rule, value string) error
	get  func(r *firewall.Rule) string
}

// fields are those of add and of set behind new, in the order in which verbose output has them.
var fields = []field{
	{"name", setName, func(r *firewall.Rule) string { return r.Name }},
	{"description", func(r *firewall.Rule, v string) error { return setText(&r.Description, v) }, func(r *firewall.Rule) string { return r.Description }},
	{"enable", setEnable, func(r *firewall.Rule) string { return yesNo(r.Active) }},
	{"dir", setDir, func(r *firewall.Rule) string { return string(r.Dir) }},
	{"profile", setProfiles, func(r *firewall.Rule) string { return Profiles(*r).String() }},
	{"localip", setLocalIP, func(r *firewall.Rule) string { return Addresses(r.LocalAddrs) }},
	{"remoteip", setRemoteIP, func(r *firewall.Rule) string { return Addresses(r.RemoteAddrs) }},
	{"protocol", setProtocol, func(r *firewall.Rule) string { return Protocol(*r) }},
	{"localport", setLocalPort, func(r *firewall.Rule) string { return Ports(r.LocalPorts) }},
	{"remoteport", setRemotePort, func(r *firewall.Rule) string { return Ports(r.RemotePorts) }},
	{"edge", setEdge, edge},
	{"program", setProgram, func(r *firewall.Rule) string { return sameFolder(r.Program) }},
	{"service", setService, func(r *firewall.Rule) string { return r.Service }},
	{"interfacetype", setInterfaceType, interfaceType},
	{"security", setSecurity, security},
	{"action", setAction, func(r *firewall.Rule) string { return string(r.Action) }},
}

// criteria are the fields by which set and delete find rules.
var criteria = []string{"name", "dir", "profile", "program", "service", "localip", "remoteip", "localport", "remoteport", "protocol"}

func fieldNames() []string {
	names := make([]string, len(fields))
	for n, f := range fields {
		names[n] = f.name
	}
	return names
}

func fieldOf(name string) field {
	return fields[slices.IndexFunc(fields, func(f field) bool { return f.name == name })]
}

// apply sets the fields of a rule and checks what they say together.
func apply(r *firewall.Rule, list []pair) error {
	for _, p := range list {
		if err := fieldOf(p.name).set(r, p.value); err != nil {
			return invalid(p.token, "%v", err)
		}
	}
	for _, p := range list {
		if err := together(r, p.name); err != nil {
			return invalid(p.token, "%v", err)
		}
	}
	return nil
}

// The numbers of protocols.
const (
	icmp4 = 1
	tcp   = 6
	udp   = 17
	icmp6 = 58
)

// together checks a field against the others.
func together(r *firewall.Rule, name string) error {
	switch name {
	case "localport", "remoteport", "protocol":
		if len(r.LocalPorts)+len(r.RemotePorts) > 0 && r.Protocol != tcp && r.Protocol != udp {
			return fmt.Errorf("ports need protocol=TCP or protocol=UDP")
		}
	}
	switch name {
	case "localport", "dir", "protocol":
		for _, p := range r.LocalPorts {
			if strings.HasPrefix(strings.ToUpper(p), "RPC") && (r.Protocol != tcp || r.Dir != firewall.In) {
				return fmt.Errorf("localport=%s needs dir=in and protocol=TCP", p)
			}
		}
	case "edge":
		if r.Dir == firewall.Out && edge(r) != "No" {
			return fmt.Errorf("edge is for dir=in")
		}
	}
	return nil
}

// setText takes text, which the hive keeps between bars.
func setText(to *string, v string) error {
	if strings.ContainsAny(v, "|\r\n\x00") {
		return fmt.Errorf("a bar or a line end cannot be kept")
	}
	*to = v
	return nil
}

func setName(r *firewall.Rule, v string) error {
	switch {
	case v == "":
		return fmt.Errorf("a name is missing")
	case strings.EqualFold(v, "all"):
		return fmt.Errorf("no rule may be called all")
	}
	return setText(&r.Name, v)
}

func setEnable(r *firewall.Rule, v string) (err error) {
	r.Active, err = boolean(v)
	return err
}

func boolean(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "yes":
		return true, nil
	case "no":
		return false, nil
	}
	return false, fmt.Errorf("want yes or no")
}

func yesNo(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

func setDir(r *firewall.Rule, v string) error { return choose(&r.Dir, v, firewall.In, firewall.Out) }

func setAction(r *firewall.Rule, v string) error {
	if strings.EqualFold(v, string(firewall.ByPass)) {
		return fmt.Errorf("bypass needs IPsec, which this firewall does not have")
	}
	return choose(&r.Action, v, firewall.Allow, firewall.Block)
}

// choose takes one of the options, case aside.
func choose[T ~string](to *T, v string, options ...T) error {
	names := make([]string, len(options))
	for n, o := range options {
		if strings.EqualFold(v, string(o)) {
			*to = o
			return nil
		}
		names[n] = strings.ToLower(string(o))
	}
	return fmt.Errorf("want %s", strings.Join(names, " or "))
}

func isAny(v string) bool { return strings.EqualFold(v, "any") }

func setProfiles(r *firewall.Rule, v string) error {
	r.Profiles = 0
	if isAny(v) {
		return nil
	}
	for _, name := range strings.Split(v, ",") {
		p, err := firewall.ParseProfile(strings.TrimSpace(name))
		if err != nil {
			return fmt.Errorf("%s is not domain, private, public or any", quoted(name))
		}
		r.Profiles |= p
	}
	return nil
}

// Profiles are those that a rule is for.
func Profiles(r firewall.Rule) firewall.Profile {
	if r.Profiles == 0 {
		return firewall.AllProfiles
	}
	return r.Profiles
}

func setProtocol(r *firewall.Rule, v string) error {
	kind, detail, hasDetail := strings.Cut(v, ":")
	r.Extra = slices.DeleteFunc(slices.Clone(r.Extra), func(f firewall.Field) bool { return f.Name == "ICMP4" || f.Name == "ICMP6" })
	switch strings.ToLower(kind) {
	case "any":
		r.Protocol = firewall.AnyProtocol
	case "tcp":
		r.Protocol = tcp
	case "udp":
		r.Protocol = udp
	case "icmpv4", "icmpv6":
		return setICMP(r, kind, detail, hasDetail)
	default:
		n, err := strconv.ParseUint(kind, 10, 8)
		if err != nil {
			return fmt.Errorf("want tcp, udp, icmpv4, icmpv6, any or a number from 0 to 255")
		}
		r.Protocol = int(n)
	}
	if hasDetail {
		return fmt.Errorf("only icmpv4 and icmpv6 have a type and a code")
	}
	return nil
}

// setICMP takes icmpv4:TYPE,CODE, either of which may be any. See [MS-GPFAS] 2.2.2.16.
func setICMP(r *firewall.Rule, kind, detail string, hasDetail bool) error {
	name := "ICMP4"
	if r.Protocol = icmp4; strings.EqualFold(kind, "icmpv6") {
		name, r.Protocol = "ICMP6", icmp6
	}
	if !hasDetail {
		return nil
	}
	kindText, codeText, ok := strings.Cut(detail, ",")
	if !ok {
		return fmt.Errorf("want %s:TYPE,CODE", kind)
	}
	if isAny(kindText) {
		if !isAny(codeText) {
			return fmt.Errorf("a code needs a type")
		}
		return nil
	}
	if _, err := strconv.ParseUint(kindText, 10, 8); err != nil {
		return fmt.Errorf("the type %s is no number from 0 to 255", quoted(kindText))
	}
	if isAny(codeText) {
		codeText = "*"
	} else if _, err := strconv.ParseUint(codeText, 10, 8); err != nil {
		return fmt.Errorf("the code %s is no number from 0 to 255", quoted(codeText))
	}
	r.Extra = append(r.Extra, firewall.Field{Name: name, Value: kindText + ":" + codeText})
	return nil
}

// Protocol is the protocol of a rule as netsh shows it.
func Protocol(r firewall.Rule) string {
	switch r.Protocol {
	case firewall.AnyProtocol:
		return "Any"
	case tcp:
		return "TCP"
	case udp:
		return "UDP"
	case icmp4:
		return "ICMPv4"
	case icmp6:
		return "ICMPv6"
	}
	return strconv.Itoa(r.Protocol)
}

func setLocalIP(r *firewall.Rule, v string) (err error) {
	r.LocalAddrs, err = parseAddrs(v, nil)
	return err
}

func setRemoteIP(r *firewall.Rule, v string) (err error) {
	r.RemoteAddrs, err = parseAddrs(v, []string{"LocalSubnet", "DNS", "DHCP", "WINS", "DefaultGateway"})
	return err
}

// parseAddrs reads any, or addresses, prefixes, masks, ranges and keywords with commas between.
func parseAddrs(v string, keywords []string) ([]string, error) {
	if isAny(v) {
		return nil, nil
	}
	var out []string
	for _, a := range strings.Split(v, ",") {
		a = strings.TrimSpace(a)
		if n := slices.IndexFunc(keywords, func(k string) bool { return strings.EqualFold(k, a) }); n >= 0 {
			a = keywords[n]
		} else if !readsBack(firewall.Rule{RemoteAddrs: []string{a}}) || !strings.ContainsAny(a, ".:") {
			return nil, fmt.Errorf("%s is no address, range, subnet%s", quoted(a), orKeywords(keywords))
		}
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out, nil
}

func orKeywords(keywords []string) string {
	if keywords == nil {
		return " or any"
	}
	return ", any, " + strings.ToLower(strings.Join(keywords, ", "))
}

// readsBack tells whether the hive could keep the rule's addresses and ports.
func readsBack(r firewall.Rule) bool {
	r.Action, r.Dir, r.Protocol = firewall.Allow, firewall.In, tcp
	back, err := firewall.ParseRule(r.String())
	return err == nil && slices.Equal(back.RemoteAddrs, r.RemoteAddrs) && slices.Equal(back.LocalPorts, r.LocalPorts)
}

func setLocalPort(r *firewall.Rule, v string) (err error) {
	r.LocalPorts, err = parsePorts(v, map[string]string{"rpc": "RPC", "rpc-epmap": "RPC-EPMap", "iphttps": "IPHTTPSIn", "teredo": "Teredo"})
	return err
}

func setRemotePort(r *firewall.Rule, v string) (err error) {
	r.RemotePorts, err = parsePorts(v, nil)
	return err
}

// parsePorts reads any, or ports, ranges and keywords with commas between.
func parsePorts(v string, keywords map[string]string) ([]string, error) {
	if isAny(v) {
		return nil, nil
	}
	var out []string
	for _, p := range strings.Split(v, ",") {
		p = strings.TrimSpace(p)
		if k, ok := keywords[strings.ToLower(p)]; ok {
			p = k
		} else if p == "" || p[0] < '0' || p[0] > '9' || !readsBack(firewall.Rule{LocalPorts: []string{p}}) {
			return nil, fmt.Errorf("%s is no port from 0 to 65535, range of ports or any", quoted(p))
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

func setEdge(r *firewall.Rule, v string) error {
	var add []firewall.Field
	switch strings.ToLower(v) {
	case "yes":
		add = []firewall.Field{{Name: "Edge", Value: "TRUE"}}
	case "deferapp":
		add = []firewall.Field{{Name: "Defer", Value: "App"}}
	case "deferuser":
		add = []firewall.Field{{Name: "Defer", Value: "User"}}
	case "no":
	default:
		return fmt.Errorf("want yes, deferapp, deferuser or no")
	}
	r.Extra = append(without(r.Extra, "Edge", "Defer"), add...)
	return nil
}

func without(list []firewall.Field, names ...string) []firewall.Field {
	return slices.DeleteFunc(slices.Clone(list), func(f firewall.Field) bool { return slices.Contains(names, f.Name) })
}

func extra(r *firewall.Rule, name string) string {
	for _, f := range r.Extra {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func edge(r *firewall.Rule) string {
	switch {
	case strings.EqualFold(extra(r, "Defer"), "App"):
		return "Defer to application"
	case strings.EqualFold(extra(r, "Defer"), "User"):
		return "Defer to user"
	}
	return yesNo(strings.EqualFold(extra(r, "Edge"), "TRUE"))
}

// setProgram takes a path. One below the folder of Windows whose backslashes a shell has eaten gets them back.
func setProgram(r *firewall.Rule, v string) error {
	switch {
	case v == "":
		return fmt.Errorf("want a path, or any")
	case isAny(v):
		v = ""
	}
	return setText(&r.Program, sameFolder(restored(v)))
}

// restored puts the backslashes back into %systemroot%system32svchost.exe, and takes doubled ones out of a path.
func restored(path string) string {
	if strings.ContainsAny(path, `\/`) {
		n := min(1, len(path)) // two at its beginning are those of a share
		return path[:n] + strings.ReplaceAll(path[n:], `\\`, `\`)
	}
	for _, root := range []string{"%systemroot%", "%windir%", "C:Windows"} {
		if len(path) <= len(root) || !strings.EqualFold(path[:len(root)], root) {
			continue
		}
		out, rest := "%systemroot%", path[len(root):]
		for _, folder := range []string{"system32", "wbem"} {
			if len(rest) > len(folder) && strings.EqualFold(rest[:len(folder)], folder) {
				out, rest = out+`\`+rest[:len(folder)], rest[len(folder):]
			}
		}
		return out + `\` + rest
	}
	return path
}

// sameFolder makes %systemroot% of the folder of Windows, as a prompt expands it: a rule means the part of Windows, wherever
// that stands.
func sameFolder(path string) string {
	for _, root := range []string{"%windir%", `C:\Windows`} {
		if len(path) > len(root) && strings.EqualFold(path[:len(root)], root) && path[len(root)] == '\\' {
			return "%systemroot%" + path[len(root):]
		}
	}
	return path
}

// setService takes the short name of a service. any is what only services may use, in the hive a star.
func setService(r *firewall.Rule, v string) error {
	switch {
	case v == "":
		return fmt.Errorf("want the short name of a service, or any")
	case isAny(v):
		v = "*"
	}
	return setText(&r.Service, v)
}

// The words of netsh for the values of IFType, [MS-GPFAS] 2.2.2.8.
var interfaceTypes = map[string]string{"wireless": "Wireless", "lan": "Lan", "ras": "RemoteAccess"}

func setInterfaceType(r *firewall.Rule, v string) error {
	kind, ok := interfaceTypes[strings.ToLower(v)]
	if !ok && !isAny(v) {
		return fmt.Errorf("want wireless, lan, ras or any")
	}
	r.Extra = without(r.Extra, "IFType")
	if ok {
		r.Extra = append(r.Extra, firewall.Field{Name: "IFType", Value: kind})
	}
	return nil
}

func interfaceType(r *firewall.Rule) string {
	if v := extra(r, "IFType"); v != "" {
		return v
	}
	return "Any"
}

// setSecurity takes notrequired alone: a rule that wanted IPsec could not be kept here.
func setSecurity(_ *firewall.Rule, v string) error {
	if strings.EqualFold(v, "notrequired") {
		return nil
	}
	for _, known := range []string{"authenticate", "authenc", "authdynenc", "authnoencap"} {
		if strings.EqualFold(v, known) {
			return fmt.Errorf("it needs IPsec, which this firewall does not have; want notrequired")
		}
	}
	return fmt.Errorf("want notrequired")
}

// security is what a rule of a policy may want.
func security(r *firewall.Rule) string {
	for _, name := range []string{"Security", "Security2_9", "Security2"} {
		if v := extra(r, name); v != "" {
			return v
		}
	}
	return "NotRequired"
}

// Ports shows the ports of a rule as netsh does.
func Ports(l []string) string {
	if len(l) == 0 {
		return "Any"
	}
	return strings.Join(l, ",")
}

// Addresses shows the addresses of a rule as netsh does: one address is a subnet of one.
func Addresses(l []string) string {
	out := make([]string, len(l))
	for n, a := range l {
		switch {
		case strings.ContainsAny(a, "/-") || !strings.ContainsAny(a, ".:"):
		case strings.Contains(a, ":"):
			a += "/128"
		default:
			a += "/32"
		}
		out[n] = a
	}
	return Ports(out)
}
