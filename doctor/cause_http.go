package doctor

import (
	"fmt"
	"strings"
)

// What answers at the port, and is it WinRM.
func init() {
	explain("http", speaksTLS, proxyBetween, redirected, stoppedService, notWinRM, wrongPath, filteredAddress, busyService, hungService, closedAtOnce)
}

func speaksTLS(f *findings, r Result) *diagnosis {
	if f.x.winrm.http.spoke != "TLS" {
		return nil
	}
	return &diagnosis{Cause: certain("port "+f.x.target.port()+" is a listener of https", r.Detail),
		remedies: []Remedy{here("use-https", "none on the machine", "casement doctor https://"+f.x.target.host()+":"+f.x.target.port())}}
}

func proxyBetween(f *findings, r Result) *diagnosis {
	if !f.x.winrm.http.proxy && f.x.winrm.http.status != 502 && f.x.winrm.http.status != 504 {
		return nil
	}
	d := &diagnosis{Cause: certain("a proxy stands between and answers in the place of "+f.name(), r.Detail)}
	if f.x.options.Proxy != "" {
		d.remedies = append(d.remedies, here("other-proxy", "none on the machine", f.again("--proxy", "http://PROXY:PORT"), f.again("    (without --proxy: directly)")))
	} else {
		d.remedies = append(d.remedies, steps("proxy-tunnel", OnNetwork, "", "let it pass connections on whole, by CONNECT: "+f.again("--proxy", "http://PROXY:PORT")+"; a proxy that reads HTTP breaks NTLM and Kerberos"))
	}
	return d
}

func redirected(f *findings, r Result) *diagnosis {
	h := f.x.winrm.http
	if h.status < 300 || h.status >= 400 {
		return nil
	}
	d := &diagnosis{Cause: certain("what answers sends elsewhere, and that is not followed", r.Detail)}
	if to := f.elsewhere(h.location); to != "" {
		d.remedies = []Remedy{here("other-address", "none on the machine; look whether that address is one that you trust", "casement doctor "+shellWord(to))}
	}
	return d
}

// elsewhere is the URL to which an answer sends, "" where it is none of HTTP: what
// stands in a command is never an option.
func (f *findings) elsewhere(location string) string {
	base, err := f.x.target.endpoint()
	if err != nil || location == "" {
		return ""
	}
	u, err := base.Parse(location)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return u.String()
}

func notWinRM(f *findings, r Result) *diagnosis {
	h := f.x.winrm.http
	other := h.spoke
	switch {
	case h.html:
		other = "a web server"
	case other == "" && h.status >= 200 && h.status < 300 && r.Code == hresult(codeServerError):
		other = "another HTTP service"
	}
	if other == "" {
		return nil
	}
	port := f.x.target.port()
	d := &diagnosis{Cause: certain(fmt.Sprintf("not WinRM listens at port %s, but %s", port, strings.TrimPrefix(other, "something else")), r.Detail)}
	if other == "something else" {
		d.Title = "something other than WinRM listens at port " + port
	}
	d.remedies = append(f.onTarget("who-listens", "none: it names the program at the port", typed{[]string{"netstat -abno -p TCP"}, nil}, typed{[]string{"ss -ltnp 'sport = :" + port + "'"}, nil}),
		here("right-port", "none on the machine", "casement doctor http://"+f.x.target.host()+":"+defaultPort))
	return d
}

func stoppedService(f *findings, r Result) *diagnosis {
	if f.x.winrm.http.status != 404 || !f.x.httpSys() {
		return nil
	}
	d := &diagnosis{Cause: likely("Windows' HTTP server answers and WinRM is not behind it: the service is stopped, or has another prefix", "sc query WinRM   on "+f.name(), r.Detail)}
	d.remedies = append(f.onTarget("start-winrm", "WinRM answers with the listeners that it has",
		typed{[]string{"sc config WinRM start= auto", "net start WinRM"}, []string{"net stop WinRM"}}, typed{}), f.listListeners())
	return d
}

func (f *findings) listListeners() Remedy {
	return Remedy{ID: "list-listeners", Where: OnTarget, Prompt: "cmd", Commands: []string{"winrm enumerate winrm/config/listener"}, Effect: "none: it lists ports and prefixes (URLPrefix)"}
}

func wrongPath(f *findings, r Result) *diagnosis {
	if f.x.winrm.http.status != 404 {
		return nil
	}
	return &diagnosis{Cause: likely("there is no WinRM at this path: its prefix is another, or something else listens there", "winrm enumerate winrm/config/listener   on "+f.name(), r.Detail),
		remedies: []Remedy{f.listListeners(), here("prefix", "none on the machine", "casement doctor http://"+f.x.target.host()+":"+f.x.target.port()+"/PREFIX")}}
}

func filteredAddress(f *findings, r Result) *diagnosis {
	if f.x.winrm.http.status != 403 {
		return nil
	}
	w, c := winrmSet("winrm/config/service", "IPv4Filter", "*", "")
	w.undo, c.undo = nil, nil
	d := &diagnosis{Cause: likely("the host refuses this machine's address: its address filters, or something before it", "winrm get winrm/config/service   on "+f.name(), r.Detail)}
	d.remedies = f.onTarget("filters", "WinRM listens at all of the machine's addresses", w, c)
	return d
}

func busyService(f *findings, r Result) *diagnosis {
	if f.x.winrm.http.status != 503 {
		return nil
	}
	d := &diagnosis{Cause: likely("the service is there and cannot answer now: it is starting, stopping, or overloaded", f.again(), r.Detail)}
	d.remedies = f.restart()
	return d
}

// restart ends what hangs.
func (f *findings) restart() []Remedy {
	return f.onTarget("restart-winrm", "every shell and command under way over WinRM ends",
		typed{[]string{"net stop WinRM", "net start WinRM"}, nil}, typed{[]string{"systemctl restart casement"}, nil})
}

func hungService(f *findings, r Result) *diagnosis {
	if r.Code != "0x80338126" || f.x.winrm.http.status != 0 {
		return nil
	}
	d := &diagnosis{Cause: likely("port "+f.x.target.port()+" takes connections and never answers: the service hangs, or something between takes them in its place",
		"the same command on "+f.name()+" itself", r.Detail)}
	d.remedies = f.restart()
	return d
}

// shellWord quotes what a peer named before it stands in a command.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// isHostName tells whether what a peer says is a name that may stand in a command
// as it is: letters, digits, dots, hyphens and underscores, and no option.
func isHostName(s string) bool {
	return s != "" && len(s) <= 253 && s[0] != '-' && s[0] != '.' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}
