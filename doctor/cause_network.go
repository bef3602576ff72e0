package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Names, routes and the port of WinRM.
func init() {
	explain("resolve", unknownName)
	explain("route", noRoute)
	explain(winrmPort, movedListener, nothingListens, closedByFirewall, machineSilent)
}

func unknownName(f *findings, r Result) *diagnosis {
	d := &diagnosis{Cause: certain("the name "+f.x.target.host()+" has no address here", r.Detail)}
	if !strings.Contains(r.Detail, "no address") {
		d.Cause = likely("the name service does not answer", "getent hosts "+f.x.target.host(), r.Detail)
	}
	d.Row = 1
	d.remedies = []Remedy{
		here("full-name", "none on the machine", "casement doctor "+f.name()+".YOUR.DOMAIN", "casement doctor ADDRESS"),
		here("hosts-entry", "for this machine alone", "echo 'ADDRESS "+f.x.target.host()+"' >> /etc/hosts"),
	}
	return d
}

func noRoute(f *findings, r Result) *diagnosis {
	d := &diagnosis{Cause: certain("no route leads from here to "+f.name(), r.Detail)}
	only6 := !slices.ContainsFunc(f.x.addresses, func(a netip.Addr) bool { return a.Is4() })
	if only6 {
		d.Title = f.name() + " has IPv6 addresses alone, and this machine reaches none"
	}
	d.remedies = []Remedy{steps("route", OnNetwork, "", "give this machine an address of the same family, IPv4 or IPv6, and a route to it: ip route get "+firstAddress(f.x.addresses))}
	return d
}

// movedListener: refused, and WinRM's other port answers.
func movedListener(f *findings, _ Result) *diagnosis {
	p := f.x.winrm.port
	if !p.refused {
		return nil
	}
	other := ""
	for _, o := range []string{defaultPort, defaultTLSPort, "80", "443"} {
		if slices.Contains(p.open, o) {
			other = o
			break
		}
	}
	if other == "" {
		return nil
	}
	url := "http://" + f.x.target.host() + ":" + other
	if other == defaultTLSPort || other == "443" {
		url = "https://" + f.x.target.host() + ":" + other
	}
	d := &diagnosis{Cause: likely(fmt.Sprintf("WinRM does not listen at port %s; port %s answers: its listener was changed", f.x.target.port(), other), "casement doctor "+url,
		"the port is refused", "port "+other+" answers")}
	d.remedies = append([]Remedy{here("other-port", "none on the machine", "casement doctor "+url)}, f.defaultListener()...)
	return d
}

// defaultListener makes the listener that everybody expects.
func (f *findings) defaultListener() []Remedy {
	https := f.x.target.overTLS()
	on, transport := "winrm quickconfig -quiet", "HTTP"
	if https {
		on, transport = "winrm quickconfig -transport:https -quiet", "HTTPS"
	}
	return f.onTarget("quickconfig", "the WinRM service starts by itself, listens at the default port for "+transport+", and its firewall rule is on",
		typed{[]string{on}, []string{"winrm delete winrm/config/listener?Address=*+Transport=" + transport}},
		typed{[]string{ownPrefix + on}, []string{ownPrefix + "winrm delete 'winrm/config/listener?Address=*+Transport=" + transport + "'"}})
}

func nothingListens(f *findings, _ Result) *diagnosis {
	p := f.x.winrm.port
	if !p.refused {
		return nil
	}
	d := &diagnosis{Cause: certain(fmt.Sprintf("nothing listens at port %s of %s: the WinRM service does not run, or has no such listener", f.x.target.port(), f.name()),
		"the machine is up and refuses")}
	d.remedies = append(f.onTarget("start-winrm", "WinRM answers with the listeners that it has",
		typed{[]string{"sc config WinRM start= auto", "net start WinRM"}, []string{"net stop WinRM"}},
		typed{[]string{"systemctl enable --now casement"}, []string{"systemctl disable --now casement"}}), f.defaultListener()...)
	d.remedies = append(d.remedies, f.framework()...)
	return d
}

// closedByFirewall: silent, and the machine is up.
func closedByFirewall(f *findings, _ Result) *diagnosis {
	p := f.x.winrm.port
	signs := append(prefixed("port ", p.open, " answers"), prefixed("port ", p.closed, " is refused")...)
	if f.passed("tcp.135") && !slices.Contains(p.open, "135") {
		signs = append(signs, "port 135 answers")
	}
	if p.refused || len(signs) == 0 {
		return nil
	}
	d := &diagnosis{Cause: certain("port "+f.x.target.port()+" of "+f.name()+" is closed by a firewall; the machine is up", signs...)}
	d.Row = 3
	d.remedies = f.openPort()
	return d
}

// openPort opens WinRM's port.
func (f *findings) openPort() []Remedy {
	port := f.x.target.port()
	group := typed{[]string{`netsh advfirewall firewall set rule group="windows remote management" new enable=yes`},
		[]string{`netsh advfirewall firewall set rule group="windows remote management" new enable=no`}}
	single := typed{[]string{`netsh advfirewall firewall add rule name="WinRM ` + port + `" dir=in action=allow protocol=TCP localport=` + port},
		[]string{`netsh advfirewall firewall delete rule name="WinRM ` + port + `"`}}
	linux := []string{"nft insert rule inet filter input tcp dport " + port + " accept"}
	var list []Remedy
	if port == defaultPort {
		list = f.onTarget("firewall-group", "hosts of the local network alone on the public profile, all on the others", group,
			typed{[]string{`casement firewall enable "Windows Remote Management"`}, []string{`casement firewall disable "Windows Remote Management"`}})
	}
	list = append(list, f.onTarget("firewall-port", "port "+port+" is open to every address", single, typed{linux, []string{"nft -a list chain inet filter input", "nft delete rule inet filter input handle N"}})...)
	return append(list, steps("firewall-between", OnNetwork, "", "a firewall between must let TCP "+port+" through from this machine"))
}

func machineSilent(f *findings, r Result) *diagnosis {
	if f.x.winrm.port.refused {
		return nil
	}
	d := &diagnosis{Cause: likely(f.name()+" does not answer at all: it is off, its address is another's or nobody's, or a firewall drops everything",
		"ping "+f.x.target.host()+"; and look at the machine's own screen or console", r.Detail, "no other port that was tried answers")}
	d.Row = 3
	d.whole = f.outcome("tcp.135") != Pass
	d.remedies = []Remedy{steps("power", OnTarget, "", "switch it on; compare its address with what the name service says")}
	if r.Code == "0x80338126" { // silence may be a firewall's
		d.remedies = append(d.remedies, f.openPort()...)
	}
	return d
}

func prefixed(before string, list []string, after string) (out []string) {
	for _, s := range list {
		out = append(out, before+s+after)
	}
	return out
}

func firstAddress(list []netip.Addr) string {
	if len(list) == 0 {
		return "ADDRESS"
	}
	return list[0].String()
}

// closedAtOnce: a connection that is taken and ended before a word is said, as a
// firewall of the machine itself does that looks at who comes.
func closedAtOnce(f *findings, r Result) *diagnosis {
	if !strings.Contains(r.Detail, endedText) {
		return nil
	}
	port := f.x.target.port()
	d := &diagnosis{Cause: likely("port "+port+" of "+f.name()+" takes the connection and ends it at once: a firewall there does not let this machine in, or the service is failing",
		"the rules for port "+port+" on "+f.name(), r.Detail)}
	if f.passed("tcp.135") {
		d.For = append(d.For, "port 135 answers")
	}
	d.Row = 3
	d.remedies = f.openPort()
	return d
}
