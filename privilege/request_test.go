package privilege

import (
	"strings"
	"testing"

	"github.com/casementhq/casement/shell"
)

var badRequests = map[string]struct {
	msg string
	fds int
}{
	"empty":                  {"", 0},
	"not an object":          {"[]", 0},
	"no id":                  {`{"op":"hello","version":1}`, 0},
	"no operation":           {`{"id":1}`, 0},
	"unknown operation":      {`{"id":1,"op":"exec"}`, 0},
	"unknown field":          {`{"id":1,"op":"hello","version":1,"uid":0}`, 0},
	"uid in start":           {`{"id":1,"op":"start","start":{"user":"a","command":"x","uid":0}}`, 3},
	"two messages":           {`{"id":1,"op":"hello","version":1}{}`, 0},
	"other version":          {`{"id":1,"op":"hello","version":2}`, 0},
	"descriptor with hello":  {`{"id":1,"op":"hello","version":1}`, 1},
	"too few descriptors":    {`{"id":1,"op":"start","start":{"user":"a","command":"x"}}`, 2},
	"start without part":     {`{"id":1,"op":"start"}`, 3},
	"part without start":     {`{"id":1,"op":"close","job":1,"start":{"user":"a","command":"x"}}`, 0},
	"user as option":         {`{"id":1,"op":"start","start":{"user":"-x","command":"x"}}`, 3},
	"user with colon":        {`{"id":1,"op":"start","start":{"user":"a:b","command":"x"}}`, 3},
	"no user":                {`{"id":1,"op":"start","start":{"command":"x"}}`, 3},
	"empty command":          {`{"id":1,"op":"start","start":{"user":"a","command":" "}}`, 3},
	"NUL in command":         {`{"id":1,"op":"start","start":{"user":"a","command":"a\u0000b"}}`, 3},
	"NUL in variable":        {`{"id":1,"op":"start","start":{"user":"a","command":"a","env":["A=b\u0000"]}}`, 3},
	"no variable":            {`{"id":1,"op":"start","start":{"user":"a","command":"a","env":["A"]}}`, 3},
	"relative directory":     {`{"id":1,"op":"start","start":{"user":"a","command":"a","dir":"x"}}`, 3},
	"udp":                    {`{"id":1,"op":"listen","listen":{"network":"udp","port":80}}`, 0},
	"unix":                   {`{"id":1,"op":"listen","listen":{"network":"unix","address":"/x","port":80}}`, 0},
	"port 0":                 {`{"id":1,"op":"listen","listen":{"network":"tcp"}}`, 0},
	"port 65536":             {`{"id":1,"op":"listen","listen":{"network":"tcp","port":65536}}`, 0},
	"host name":              {`{"id":1,"op":"listen","listen":{"network":"tcp","address":"localhost","port":80}}`, 0},
	"signal 0":               {`{"id":1,"op":"signal","job":1}`, 0},
	"signal 9":               {`{"id":1,"op":"signal","job":1,"signal":9}`, 0},
	"signal without job":     {`{"id":1,"op":"signal","signal":1}`, 0},
	"usage without job":      {`{"id":1,"op":"usage"}`, 0},
	"too long":               {`{"id":1,"op":"hello","version":1}` + strings.Repeat(" ", maxMessage), 0},
	"rules without firewall": {`{"id":1,"op":"close","job":1,"firewall":[{"Port":1}]}`, 0},
	"rule without a port":    {`{"id":1,"op":"firewall","firewall":[{"Port":0}]}`, 0},
	"half a range":           {`{"id":1,"op":"firewall","firewall":[{"Port":1,"Rules":[{"Accept":true,"From":"192.0.2.1"}]}]}`, 0},
	"range of two families":  {`{"id":1,"op":"firewall","firewall":[{"Port":1,"Rules":[{"From":"192.0.2.1","To":"::1"}]}]}`, 0},
	"range backwards":        {`{"id":1,"op":"firewall","firewall":[{"Port":1,"Rules":[{"From":"192.0.2.2","To":"192.0.2.1"}]}]}`, 0},
	"address with a zone":    {`{"id":1,"op":"firewall","firewall":[{"Port":1,"Rules":[{"From":"fe80::1%x","To":"fe80::1%x"}]}]}`, 0},
	"too many rules":         {`{"id":1,"op":"firewall","firewall":[{"Port":1}` + strings.Repeat(`,{"Port":1}`, 512) + `]}`, 0},
	"too many arguments":     {`{"id":1,"op":"start","start":{"user":"a","command":"a","args":[""` + strings.Repeat(`,""`, maxStrings) + `]}}`, 3},
}

var goodRequests = map[string]int{
	`{"id":1,"op":"hello","version":1}`:                                                                    0,
	`{"id":7,"op":"listen","listen":{"network":"tcp","address":"::1","port":80}}`:                          0,
	`{"id":7,"op":"listen","listen":{"network":"tcp4","address":"","port":135}}`:                           0,
	`{"id":2,"op":"start","start":{"user":"alice","command":"echo","args":["a"],"env":["A=b"],"dir":"/"}}`: 3,
	`{"id":3,"op":"signal","job":1,"signal":4}`:                                                            0,
	`{"id":4,"op":"usage","job":1}`:                                                                        0,
	`{"id":5,"op":"close","job":1}`:                                                                        0,
	`{"id":6,"op":"firewall"}`:                                                                             0,
	`{"id":6,"op":"firewall","firewall":[{"Port":135,"Address":"","Rules":[{"Accept":true,"From":"192.0.2.1","To":"192.0.2.9"},{"Accept":false,"From":"","To":""}]}]}`: 0,
}

func TestDecodeRequest(t *testing.T) {
	for name, c := range badRequests {
		if _, err := decodeRequest([]byte(c.msg), c.fds); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for msg, fds := range goodRequests {
		if _, err := decodeRequest([]byte(msg), fds); err != nil {
			t.Errorf("%s: %v", msg, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, c := range badRequests {
		f.Add([]byte(c.msg), c.fds)
	}
	for msg, fds := range goodRequests {
		f.Add([]byte(msg), fds)
	}
	f.Fuzz(func(t *testing.T, b []byte, fds int) {
		r, err := decodeRequest(b, fds)
		if err != nil {
			return
		}
		// What is let through keeps to the bounds that the helper relies on.
		if r.ID == 0 || (fds != 0 && (r.Op != opStart || fds != maxFDs)) {
			t.Fatalf("%+v with %d descriptors", r, fds)
		}
		if s := r.Start; s != nil {
			if !shell.ValidUserName(s.User) || strings.HasPrefix(s.User, "-") || len(s.Args) > maxStrings || len(s.Env) > maxStrings ||
				strings.ContainsRune(s.Command+s.Dir+strings.Join(s.Args, "")+strings.Join(s.Env, ""), 0) {
				t.Fatalf("%+v", s)
			}
		}
		if l := r.Listen; l != nil && (l.Port == 0 || !strings.HasPrefix(l.Network, "tcp")) {
			t.Fatalf("%+v", l)
		}
	})
}

// Users of a domain that root permitted are those of the name service switch, but never root or somebody of this machine.
func TestPolicyOfDomains(t *testing.T) {
	p := Policy{Users: []string{"alice", `CORP\named`}, AllowRoot: true, Domains: []string{`CORP\*`, "*@lab.test"}}
	for _, tt := range []struct {
		user string
		uid  uint32
		ok   bool
	}{
		{`CORP\bob`, 5000, true}, {`corp\bob`, 5000, true}, {"bob@LAB.test", 5000, true}, {`CORP\named`, 1000, true},
		{`OTHER\bob`, 5000, false}, {`CORP\`, 5000, false}, {`CORP`, 5000, false}, {"bob", 5000, false}, {"bob@corp", 5000, false}, {"@lab.test", 5000, false},
		{`CORP\bob@lab.test`, 5000, false}, {`OTHER\bob@lab.test`, 5000, false}, {`CORP\x\y`, 5000, false},
		{`CORP\bob`, 0, false}, {`CORP\bob`, 1000, false}, {"bob@lab.test", 1000, false},
	} {
		err := p.permitsUser(tt.user, tt.uid)
		if err == nil {
			err = p.permitsFound(shell.Identity{UnixUser: tt.user, UID: tt.uid}, "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
		}
		if (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	for _, bad := range []string{"", "*", "CORP", `\*`, "*@", `*\CORP`, "CORP@*", `CORP\*x`, `CORP\**`, `A\B\*`, "*@a@b", "CO*RP"} {
		if ValidDomain(bad) || (Policy{Domains: []string{bad}}).ofDomain(`CORP\bob`) {
			t.Errorf("%q names a domain", bad)
		}
	}
}

func TestPolicy(t *testing.T) {
	p := Policy{Users: []string{"alice", "root", "toor"}}
	for _, c := range []struct {
		user string
		uid  uint32
		root bool
		ok   bool
	}{
		{"alice", 1000, false, true}, {"bob", 1001, false, false}, {"root", 0, false, false},
		{"toor", 0, false, false}, {"root", 0, true, true}, {"", 0, true, false},
	} {
		p.AllowRoot = c.root
		if err := p.permitsUser(c.user, c.uid); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if !p.permitsPort(5985) || !p.permitsPort(135) || p.permitsPort(22) {
		t.Error("default ports")
	}
	p.Ports = []uint16{81}
	if p.permitsPort(5985) || !p.permitsPort(81) {
		t.Error("listed ports")
	}
}
