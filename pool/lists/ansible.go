package lists

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/pool"
)

// inventory is one of Ansible, in INI or in YAML, before its variables are summed up.
// What is taken: hosts with ranges, groups as tags, children, and the variables below
// of hosts and groups by Ansible's precedence (all, parents, children, the host).
type inventory struct {
	build  *builder
	groups map[string]*group
	hosts  map[string]*host // by name
	order  []*host
	left   int // how often hosts may still be named
}

type group struct {
	name      string
	line      int
	variables variables
	parents   []*group
	all       []*group // itself and what it is in, after resolve
	depth     int
	resolving bool
}

type host struct {
	name         string
	line, column int
	variables    variables
	groups       []*group
}

// variables are those that we take, under the first of their names.
type variables map[string]value

type value struct {
	text         string
	line, column int
}

// names of Ansible's variables that we take, and what they are here.
var ansibleNames = map[string]string{
	"ansible_connection": "connection",
	"ansible_host":       "host", "ansible_ssh_host": "host", "ansible_winrm_host": "host", "ansible_psrp_host": "host",
	"ansible_port": "port", "ansible_winrm_port": "port", "ansible_psrp_port": "port",
	"ansible_winrm_scheme": "scheme", "ansible_psrp_protocol": "scheme",
	"ansible_winrm_path": "path", "ansible_psrp_path": "path",
	"casement_tags": "tags",
}

var (
	ansibleSecret  = regexp.MustCompile(`(?i)(pass(word|phrase|wd)?|secret|token|private_key(_pem)?)$`)
	ansibleAccount = regexp.MustCompile(`^ansible_(ssh_|winrm_|psrp_)?user(name)?$`)
	ansibleScheme  = regexp.MustCompile(`^ansible_(winrm_transport|psrp_auth|winrm_server_cert_validation|psrp_cert_validation|winrm_kerberos_.*)$`)
)

func newInventory(b *builder) *inventory {
	return &inventory{build: b, groups: map[string]*group{}, hosts: map[string]*host{}, left: 10 * MaxServers}
}

func (v *inventory) group(name string, line, column int) (*group, error) {
	if g, ok := v.groups[name]; ok {
		return g, nil
	}
	if tags := v.build.tags(line, []string{name}); len(tags) == 0 {
		return nil, wrong(line, column, "the group has no name")
	} else if err := CheckTag(tags[0]); err != nil {
		return nil, wrong(line, column, "the group %s: %v", quoted(name), err)
	}
	g := &group{name: name, line: line, variables: variables{}}
	v.groups[name] = g
	return g, nil
}

// add takes a host, or the hosts of a range, into a group; g may be nil.
func (v *inventory) add(pattern string, g *group, set variables, line, column int) error {
	names, err := Expand(pattern, min(MaxServers, v.left))
	if err != nil {
		return wrong(line, column, "%v", err)
	}
	v.left -= len(names)
	for _, name := range names {
		h, ok := v.hosts[name]
		if !ok {
			if len(v.order) >= MaxServers {
				return wrong(line, column, "the list has more than %d servers", MaxServers)
			}
			h = &host{name: name, line: line, column: column, variables: variables{}}
			v.hosts[name] = h
			v.order = append(v.order, h)
		}
		maps.Copy(h.variables, set)
		if g != nil && !slices.Contains(h.groups, g) {
			if len(h.groups) == maxTags {
				return wrong(line, column, "%s is in more than %d groups", name, maxTags)
			}
			h.groups = append(h.groups, g)
		}
	}
	return nil
}

// set takes a variable into a map if it is one of ours, and tells about those that
// people may expect to be taken.
func (v *inventory) set(to variables, name, text string, line, column int) error {
	if strings.Contains(text, "$ANSIBLE_VAULT") {
		v.secret(name, line)
		return nil
	}
	key, ours := ansibleNames[name]
	switch {
	case ours:
		if strings.Contains(text, "{{") || strings.Contains(text, "{%") {
			return wrong(line, column, "%s is a template, which only Ansible can evaluate", name)
		}
		to[key] = value{text, line, column}
	case ansibleSecret.MatchString(name):
		v.secret(name, line)
	case ansibleAccount.MatchString(name):
		v.build.note(line, "%s is not taken: accounts are credentials of the pool", name)
	case ansibleScheme.MatchString(name):
		v.build.note(line, "%s is not taken: how to sign in belongs to a credential of the pool", name)
	}
	return nil
}

// secret says that something is not taken, without telling it.
func (v *inventory) secret(name string, line int) {
	v.build.note(line, "%s is not taken: secrets come into the pool by 'casement pool credential add' alone", name)
}

// finish sums up and hands the servers over.
func (v *inventory) finish() error {
	for _, name := range slices.Sorted(maps.Keys(v.groups)) {
		if err := v.groups[name].resolve(); err != nil {
			return err
		}
	}
	for _, h := range v.order {
		s, taken, err := v.server(h)
		if err != nil {
			return err
		}
		if taken {
			if err := v.build.add(h.line, h.column, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolve finds all that a group is in.
func (g *group) resolve() error {
	if g.all != nil {
		return nil
	}
	if g.resolving {
		return wrong(g.line, 0, "the group %s is in itself", quoted(g.name))
	}
	g.resolving = true
	defer func() { g.resolving = false }()
	all := []*group{g}
	for _, p := range g.parents {
		if err := p.resolve(); err != nil {
			return err
		}
		g.depth = max(g.depth, p.depth+1)
		for _, above := range p.all {
			if !slices.Contains(all, above) {
				all = append(all, above)
			}
		}
		if len(all) > maxTags {
			return wrong(g.line, 0, "the group %s is in more than %d others", quoted(g.name), maxTags)
		}
	}
	g.all = all
	return nil
}

// server makes the entry of a host; false leaves it out.
func (v *inventory) server(h *host) (s pool.Server, taken bool, err error) {
	var in []*group
	for _, g := range h.groups {
		for _, above := range g.all {
			if !slices.Contains(in, above) {
				in = append(in, above)
			}
		}
	}
	set := variables{}
	if all := v.groups["all"]; all != nil {
		maps.Copy(set, all.variables)
	}
	ranked := slices.Clone(in)
	slices.SortFunc(ranked, func(a, b *group) int { return cmp.Or(cmp.Compare(a.depth, b.depth), strings.Compare(a.name, b.name)) })
	for _, g := range ranked {
		if g.name != "all" {
			maps.Copy(set, g.variables)
		}
	}
	maps.Copy(set, h.variables)

	s.Name = h.name
	var tags []string
	for _, g := range in {
		if g.name != "all" && g.name != "ungrouped" {
			tags = append(tags, g.name)
		}
	}
	tags = append(tags, strings.Split(set["tags"].text, "|")...)
	s.Tags = v.build.tags(h.line, tags)

	connection := set["connection"]
	switch connection.text {
	case "", "winrm", "psrp", "ansible.windows.winrm", "ansible.windows.psrp", "ansible.builtin.winrm", "ansible.builtin.psrp":
	default:
		v.build.note(connection.line, "what has the connection %s is left out: Casement reaches servers by WinRM and DCOM", quoted(connection.text))
		return s, false, nil
	}
	if at := set["host"]; at.text != "" && !strings.EqualFold(at.text, h.name) {
		if err := CheckName(at.text); err != nil {
			return s, false, wrong(at.line, at.column, "%v", err)
		}
		s.Address = at.text
	}
	if err := CheckName(h.name); err != nil {
		return s, false, wrong(h.line, h.column, "%v", err)
	}
	s.Endpoint, err = v.endpoint(h.name, set)
	return s, true, err
}

// endpoint is what the variables of the connection say, "" for the one of Server
// Manager. Where a host is known to be reached by WinRM and has neither port nor
// scheme, Ansible takes HTTPS and 5986.
func (v *inventory) endpoint(name string, set variables) (string, error) {
	connection, port, scheme, path := set["connection"].text, set["port"].text, set["scheme"].text, set["path"].text
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", wrong(set["port"].line, set["port"].column, "%s is not a port", quoted(port))
		}
	}
	if scheme != "" && scheme != "http" && scheme != "https" {
		return "", wrong(set["scheme"].line, set["scheme"].column, "%s is neither http nor https", quoted(scheme))
	}
	if connection == "" && scheme == "" && port != "5985" && port != "5986" {
		if port != "" {
			v.build.note(set["port"].line, "ansible_port=%s is not taken: nothing says that it is WinRM's", port)
		}
		return "", nil
	}
	if scheme == "" {
		scheme = "https"
		if port == "5985" {
			scheme = "http"
		}
	}
	if port == "" {
		port = "5986"
		if scheme == "http" {
			port = "5985"
		}
	}
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(name, port), Path: "/" + strings.TrimPrefix(cmp.Or(path, "wsman"), "/")}
	if scheme == "http" && port == "5985" && u.Path == "/wsman" {
		return "", nil
	}
	return u.String(), nil
}

// Expand gives the names of a pattern with ranges, web[01:20].corp.example or
// db[a:c], and no more than most.
func Expand(pattern string, most int) ([]string, error) {
	names := []string{""}
	for rest := pattern; rest != ""; {
		before, after, ok := strings.Cut(rest, "[")
		parts := []string{""}
		next := ""
		if ok {
			inside, left, closed := strings.Cut(after, "]")
			if !closed {
				return nil, fmt.Errorf("%s has no ] after its [", quoted(pattern))
			}
			var err error
			if parts, err = span(inside, most); err != nil {
				return nil, fmt.Errorf("%s: %w", quoted(pattern), err)
			}
			next = left
		}
		if len(names)*len(parts) > most {
			return nil, fmt.Errorf("%s: these are more than %d", quoted(pattern), most)
		}
		all := make([]string, 0, len(names)*len(parts))
		for _, n := range names {
			for _, p := range parts {
				if len(n)+len(before)+len(p) > 255 {
					return nil, fmt.Errorf("%s is not a name or an address", quoted(pattern))
				}
				all = append(all, n+before+p)
			}
		}
		names, rest = all, next
	}
	return names, nil
}

// span gives what stands for a range: 01:20, 1:9:2, a:f.
func span(s string, most int) ([]string, error) {
	ends := strings.Split(s, ":")
	step := 1
	if len(ends) == 3 {
		var err error
		if step, err = strconv.Atoi(ends[2]); err != nil || step < 1 {
			return nil, fmt.Errorf("the step of [%s] is not a number above 0", s)
		}
		ends = ends[:2]
	}
	if len(ends) != 2 {
		return nil, fmt.Errorf("[%s] is not a range, as in [01:20] or [a:f]", s)
	}
	isLetter := func(s string) bool { return len(s) == 1 && (s >= "a" && s <= "z" || s >= "A" && s <= "Z") }
	var out []string
	if isLetter(ends[0]) && isLetter(ends[1]) {
		for c := int(ends[0][0]); c <= int(ends[1][0]); c += step {
			if isLetter(string(rune(c))) {
				out = append(out, string(rune(c)))
			}
		}
	} else {
		from, err1 := strconv.ParseUint(cmp.Or(ends[0], "0"), 10, 31)
		to, err2 := strconv.ParseUint(ends[1], 10, 31)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("[%s] is not a range, as in [01:20] or [a:f]", s)
		}
		width := 0
		if strings.HasPrefix(ends[0], "0") {
			width = len(ends[0])
			if width > 1 && len(ends[1]) != width {
				return nil, fmt.Errorf("the ends of [%s] have different lengths", s)
			}
		}
		for n := from; n <= to; n += uint64(step) {
			if len(out) > most {
				break
			}
			out = append(out, fmt.Sprintf("%0*d", width, n))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the range [%s] is empty", s)
	}
	return out, nil
}

// ansibleGroup is what Ansible takes as the name of a group.
var ansibleGroup = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// writeAnsible writes an inventory in INI: names, addresses, endpoints, and tags as
// groups. Tags that cannot be groups are in the variable casement_tags. A server that
// only DCOM reaches has no connection, which Ansible lacks.
func writeAnsible(w io.Writer, servers []pool.Server) error {
	out := bufio.NewWriter(w)
	members := map[string][]string{}
	for _, s := range servers {
		var others []string
		for _, t := range s.Tags {
			if ansibleGroup.MatchString(t) && t != "all" && t != "ungrouped" {
				members[t] = append(members[t], s.Name)
			} else {
				others = append(others, t)
			}
		}
		scheme, port, path, host := "http", "5985", "/wsman", ""
		if u, err := url.Parse(s.Endpoint); err == nil && s.Endpoint != "" {
			scheme, port, path = u.Scheme, u.Port(), u.Path
			if port == "" {
				port = "80"
				if scheme == "https" {
					port = "443"
				}
			}
			if !strings.EqualFold(u.Hostname(), s.Name) {
				host = u.Hostname()
			}
		}
		fmt.Fprint(out, s.Name)
		if address := cmp.Or(s.Address, host); address != "" {
			fmt.Fprintf(out, " ansible_host=%s", address)
		}
		if s.Transport != pool.DCOM {
			fmt.Fprintf(out, " ansible_connection=winrm ansible_port=%s ansible_winrm_scheme=%s", port, scheme)
			if path != "/wsman" {
				fmt.Fprintf(out, " ansible_winrm_path=%s", shellQuoted(path))
			}
		}
		if len(others) > 0 {
			fmt.Fprintf(out, " casement_tags=%s", shellQuoted(strings.Join(others, "|")))
		}
		fmt.Fprintln(out)
	}
	for _, tag := range slices.Sorted(maps.Keys(members)) {
		fmt.Fprintf(out, "\n[%s]\n", tag)
		for _, name := range members[tag] {
			fmt.Fprintln(out, name)
		}
	}
	return out.Flush()
}

// shellQuoted is a value of a variable of a host; tags and paths have no quotes.
func shellQuoted(s string) string { return "'" + s + "'" }
