package lists

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/pool"
)

// short is a server as the tests below write it: name, then what differs from nothing.
func short(s pool.Server) string {
	parts := []string{s.Name}
	for _, p := range []struct{ what, value string }{
		{"at", s.Address}, {"by", s.Endpoint}, {"", string(s.Transport)}, {"pin", s.Thumbprint}, {"tags", strings.Join(s.Tags, "+")},
		{"as", s.Credential}, {"note", s.Note},
	} {
		if p.value != "" {
			parts = append(parts, strings.TrimSpace(p.what+" "+p.value))
		}
	}
	if s.Paused {
		parts = append(parts, "paused")
	}
	if s.ResolverPort != 0 {
		parts = append(parts, fmt.Sprint("135 is ", s.ResolverPort))
	}
	return strings.Join(parts, ", ")
}

func TestRead(t *testing.T) {
	pin := strings.Repeat("0a", 32)
	for name, c := range map[string]struct {
		file, text string
		format     Format
		want       []string
		notes      []string // parts of them, in order
	}{
		"text": {
			text:   "# mine\r\nweb01.corp.example\r\n\r\n10.0.4.14 ; by address\r\nfd00::414,srv_9, WEB01.corp.example.\r\n",
			format: Text, want: []string{"web01.corp.example", "10.0.4.14", "fd00::414", "srv_9"},
		},
		"UTF-16 of PowerShell": {
			text:   "\xff\xfew\x00e\x00b\x000\x001\x00\r\x00\n\x00",
			format: Text, want: []string{"web01"},
		},
		"our CSV": {
			text: "name,address,endpoint,transport,resolver_port,thumbprint,tags,credential,paused,note,added,added_by\n" +
				"srv1,10.0.0.1,https://srv1:5986/wsman,winrm,1135," + strings.ToUpper(pin) + ",web|tokyo,ops,true,'=1+1,2026-01-02T03:04:05Z,anna\nsrv2,,,,,,,,,\"a, \"\"b\"\"\",,\n",
			format: CSV,
			want:   []string{"srv1, at 10.0.0.1, by https://srv1:5986/wsman, winrm, pin " + pin + ", tags tokyo+web, as ops, note =1+1, paused, 135 is 1135", `srv2, note a, "b"`},
		},
		"CSV of a spreadsheet elsewhere": {
			text:   "\xef\xbb\xbfName;Tags;Owner\nsrv1;web, tokyo;anna\n",
			format: CSV, want: []string{"srv1, tags tokyo+web"}, notes: []string{`line 1: the column "owner" is not taken`},
		},
		"Windows Admin Center": {
			text: "\"name\",\"type\",\"tags\",\"groupId\"\n\"srv1.contoso.com\",\"msft.sme.connection-type.server\",\"hyperv|Prod Servers\",\"global\"\n" +
				"\"pc1\",\"msft.sme.connection-type.windows-client\",\"\",\"\"\n\"clu1\",\"msft.sme.connection-type.cluster\",\"\",\"\"\n",
			format: AdminCenter, want: []string{"srv1.contoso.com, tags hyperv+prod-servers", "clu1"},
			notes: []string{`"Prod Servers" becomes "Prod-Servers"`, `line 3: "pc1" has a client operating system`, `line 4: "clu1" is a cluster`},
		},
		"Server Manager": {
			text: `<?xml version="1.0" encoding="utf-16"?>
<ServerList xmlns:xsd="http://www.w3.org/2001/XMLSchema" localhostName="a.corp.example" xmlns="urn:serverpool-schema">
  <ServerInfo name="a.corp.example" status="1" lastUpdateTime="2026-01-02T03:04:05.0000000+09:00" locale="en-US" />
  <ServerInfo name="b" status="2" lastUpdateTime="0001-01-01T00:00:00" locale="ja-JP"></ServerInfo>
</ServerList>`,
			format: ServerManager, want: []string{"a.corp.example", "b"},
		},
		"hosts": {
			text:   "127.0.0.1 localhost\n::1 ip6-localhost\nff02::1 ip6-allnodes\nfe00::0 ip6-localnet\n10.0.4.14\tweb01.corp.example web01 # rack 3\nfd00::1 web01.corp.example\n2001:db8::5 db01\n",
			format: Hosts, want: []string{"web01.corp.example, at 10.0.4.14", "db01, at 2001:db8::5"},
			notes: []string{`line 6: "web01.corp.example" has another address in line 5`},
		},
		"JSON, our document": {
			text:   `{"schema":"casement.servers/1","servers":[{"name":"a","tags":["x"],"added":"2026-01-02T03:04:05Z","added_by":"anna"},{"name":"b","resolver_port":99}]}`,
			format: JSON, want: []string{"a, tags x", "b, 135 is 99"},
		},
		"JSON, an array": {text: "[ {\"name\":\"a\"} ]", format: JSON, want: []string{"a"}},
		"Ansible": {
			text: `# the site
mail.example.com ansible_host=10.1.1.1

[web]
web[01:03].corp.example
other ansible_host=10.0.0.9 ansible_port=5985 # plain

[db:vars]
ansible_port=5985
ansible_winrm_scheme='http'

[db]
db-[a:c:2]
fd00::9
box:5986

[linux]
lx1 ansible_connection=ssh ansible_ssh_pass=hunter2

[prod:children]
web
db

[web:vars]
ansible_connection=winrm
ansible_user=Administrator
ansible_password="p w"
ansible_winrm_transport=kerberos
`,
			format: Ansible,
			want: []string{
				"mail.example.com, at 10.1.1.1",
				"web01.corp.example, by https://web01.corp.example:5986/wsman, tags prod+web",
				"web02.corp.example, by https://web02.corp.example:5986/wsman, tags prod+web",
				"web03.corp.example, by https://web03.corp.example:5986/wsman, tags prod+web",
				"other, at 10.0.0.9, tags prod+web", "db-a, tags db+prod", "db-c, tags db+prod", "fd00::9, tags db+prod",
				"box, by http://box:5986/wsman, tags db+prod",
			},
			notes: []string{
				"line 18: ansible_ssh_pass is not taken: secrets", "line 26: ansible_user is not taken", "line 27: ansible_password is not taken: secrets", "line 28: ansible_winrm_transport is not taken",
				`line 18: what has the connection "ssh" is left out`,
			},
		},
		"Ansible YAML": {
			file: "inventory.yml",
			text: `---
# the site
all:
  vars:
    ansible_connection: winrm
    ansible_port: 5985     # of the listener
    dns_servers:
    - 10.0.0.53
    - 10.0.0.54
    ansible_password: !vault |
          $ANSIBLE_VAULT;1.1;AES256
          62313365396662343061393464336163
  hosts:
    "mail.example.com":
  children:
    web:
      hosts:
        web[01:02]:
        'web09':
          ansible_host: "10.0.0.9"
          motd: |
            hello: [
      vars: {}
    secure:
      vars:
        ansible_port: 5986
        limits: {a: 1}
      children:
        db:
          hosts:
            db1:
            web09: {}
`,
			format: AnsibleYAML,
			want: []string{
				"mail.example.com", "web01, tags web", "web02, tags web", "web09, at 10.0.0.9, by https://web09:5986/wsman, tags db+secure+web",
				"db1, by https://db1:5986/wsman, tags db+secure",
			},
			notes: []string{"line 10: ansible_password is not taken: secrets"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := Read(strings.NewReader(c.text), "", c.file)
			if err != nil {
				t.Fatal(err)
			}
			if list.Format != c.format {
				t.Errorf("it is taken for %s", list.Format)
			}
			var got []string
			for _, s := range list.Servers {
				got = append(got, short(s))
				if !s.Added.IsZero() || s.AddedBy != "" {
					t.Errorf("%s says who added it", s.Name)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(c.want, "\n "))
			}
			if len(list.Notes) != len(c.notes) {
				t.Errorf("notes: %q", list.Notes)
			}
			for i, n := range list.Notes {
				if i < len(c.notes) && !strings.Contains(n.String(), c.notes[i]) {
					t.Errorf("note %q, want %q", n, c.notes[i])
				}
				if strings.Contains(n.String(), "hunter2") || strings.Contains(n.String(), "p w") || strings.Contains(n.String(), "6231") {
					t.Errorf("a secret is told: %s", n)
				}
			}
		})
	}
}

// What is wrong is said with its line and column, and nothing of the list is taken.
func TestReadErrors(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("srv1\n", 13) + "srv 09\n": `line 14: "srv 09" is not a name or an address (column 1)`,
		"a\nb, -c\n":                                            `line 2: "-c" is not a name or an address (column 4)`,
		"10.0.4\n":                                              `line 1: "10.0.4" is not a name or an address (column 1)`,
		"bücher.example\n":                                      `line 1: "bücher.example" is not a name or an address (column 1)`,
		"a\n\xffb\n":                                            "line 2: the text is neither UTF-8 nor UTF-16 with a byte order mark (column 1)",
		"name,tags\na,\"x\n":                                    `extraneous or missing " in quoted-field`,
		"name,tags\na,x,y\n":                                    "line 2: the line has 3 fields, the first has 2 (column 1)",
		"name,name\na,b\n":                                      `line 1: the column "name" is there twice (column 6)`,
		"name,paused\na,perhaps\n":                              `line 2: "perhaps" is neither true nor false (column 3)`,
		"name,resolver_port\na,70000\n":                         `line 2: "70000" is not a port (column 3)`,
		"name,transport\na,smtp\n":                              `"smtp" is not a transport`,
		"name,endpoint\na,http://u:p@a/wsman\n":                 "is not an endpoint",
		"name,thumbprint\na,abc\n":                              "is not a thumbprint",
		"name,tags\na,x'y\n":                                    "cannot be a tag",
		"name,address\na,10.0.0.1\nb,\nA,10.0.0.2\n":            "line 4: A stands in line 2 too, and differs (column 1)",
		"10.0.0.1 a\n10.0.0 b\n10.0.0.3 c d\n":                  `line 2: "10.0.0" is not an address (column 1)`,
		"10.0.0.1 a\n  10.0.0.2 #b\n":                           "line 2: the address 10.0.0.2 has no name (column 3)",
		"fe80::1%eth0 a\n10.0.0.1 b":                            "line 1: ",
		"<Pool></Pool>":                                         `line 1: the document is a "Pool", not a ServerList`,
		"<ServerList>\n<ServerInfo name='a b'/>":                `line 2: "a b" is not a name or an address (column 1)`,
		"<ServerList><ServerInfo":                               "line 1: ",
		"<ServerList>&x;</ServerList>":                          "line 1: ",
		"{\"servers\":[\n{\"name\":\"a\"},\n {\"nme\":\"b\"}]}": `line 3: `,
		"[\n{\"name\":\"a\"},\n {\"name\":\"b c\"}]":            `line 3: "b c" is not a name or an address (column 2)`,
		"[{\"name\":\"a\"}":                                     "line 1: the document ends too early",
		"[{\"name\":\"a\"}] []":                                 "line 1: nothing may follow the document",
		"{\"schema\":\"casement.doctor/1\"}":                    `"casement.doctor/1", not casement.servers/1`,
		"[web]\na\n[web:odd]\n":                                 `line 3: a group has vars, children and hosts, but no "odd" (column 1)`,
		"[web]\n  a port\n":                                     `line 2: "port" is not a variable, as in name=value (column 3)`,
		"[web]\na x='y\n":                                       "line 2: a quotation mark is not closed",
		"[web]\na[1:3\n":                                        `line 2: "a[1:3" has no ] after its [`,
		"[web]\na[3:1]\n":                                       "is empty",
		"[web]\na[1:999999].example\n":                          "these are more than 100000",
		"[web]\na ansible_host={{ip}}\n":                        "line 2: ansible_host is a template",
		"[web]\na ansible_connection=winrm ansible_port=x":      `line 2: "x" is not a port`,
		"[a:children]\nb\n[b:children]\na\n":                    "is in itself",
		"$ANSIBLE_VAULT;1.1;AES256\n3132\n":                     "line 1: the file is encrypted by Ansible Vault",
		"all:\n  hosts:\n    - web01\n":                         `line 2: "hosts", hosts, is no mapping`,
		"all:\n  hosts: &x\n":                                   "line 2: anchors and aliases of YAML are not read here",
		"all:\n  vars:\n    <<: *x\n":                           "line 3: merge keys",
		"all:\n  hosts:\n    a:\n   b:\n":                       "line 4: the indentation fits nothing above (column 4)",
		"all:\n  hosts:\n    a:\n    a:\n":                      `line 4: "a" is there twice (column 5)`,
		"all:\n  hosts:\n    a b:\n":                            `line 3: "a b" is not a name or an address (column 5)`,
		"all:\n\thosts:\n":                                      "line 2: a tab cannot indent",
		"all:\n  hosts:\n    a: {x: 1,\n":                       "line 3: brackets over several lines",
		"---\nall:\n---\nb:\n":                                  "line 3: a second document",
		"all:\n  hosts:\n    a: !!str b\n":                      "line 3: tags such as",
		"all:\n  host:\n":                                       `line 2: a group has hosts, vars and children, but no "host" (column 3)`,
	} {
		list, err := Read(strings.NewReader(text), "", "")
		if e := (*Error)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if list != nil {
			t.Errorf("%q: something is taken", text)
		}
	}
}

// A list that is too large is refused before it is looked at.
func TestReadBounds(t *testing.T) {
	for name, text := range map[string]string{
		"lines":   strings.Repeat("\n", MaxLines+2),
		"size":    strings.Repeat("a,", MaxSize/2+1),
		"servers": "[web]\na[1:60000]\nb[1:60000]\n",
		"nesting": "a:\n" + deep(70),
		"ranges":  strings.Repeat("a[1:99999] ansible_host=b\n", 50_000),
		"groups":  chain(1000),
	} {
		_, err := Read(strings.NewReader(text), "", "")
		if e := (*Error)(nil); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func chain(groups int) string {
	var b strings.Builder
	for i := range groups {
		fmt.Fprintf(&b, "[g%d:children]\ng%d\n", i, i+1)
	}
	return b.String()
}

func deep(levels int) string {
	var b strings.Builder
	for i := 1; i <= levels; i++ {
		fmt.Fprintf(&b, "%*sk:\n", i, "")
	}
	return b.String()
}

// A field of a CSV never begins as a formula does.
func TestDefused(t *testing.T) {
	var out bytes.Buffer
	servers := []pool.Server{{Name: "a", Note: `=cmd|'/c calc'!A0`, Credential: "@x", Tags: []string{"+1", "-2"}, AddedBy: "=anna"}}
	for _, f := range []Format{CSV, AdminCenter} {
		out.Reset()
		if err := Write(&out, f, servers); err != nil {
			t.Fatal(err)
		}
		for field := range strings.SplitSeq(strings.ReplaceAll(out.String(), "\n", ","), ",") {
			if field = strings.Trim(field, `"`); field != "" && strings.Contains("=+-@\t\r", field[:1]) {
				t.Errorf("%s: a spreadsheet would compute %s", f, field)
			}
		}
	}
	for _, f := range []string{"", "'", "''", "'a", "'=a", "''=a", "=", "\tx", "a=b"} {
		if got := plain(Defused(f)); got != f {
			t.Errorf("%q comes back as %q", f, got)
		}
	}
}

func TestWriteHostsAndAnsible(t *testing.T) {
	servers := []pool.Server{
		{Name: "a.corp.example", Address: "10.0.0.1", Endpoint: "https://a.corp.example:5986/wsman", Tags: []string{"web", "all", "x-1"}},
		{Name: "b", Tags: []string{"web"}, Transport: pool.DCOM},
		{Name: "c", Endpoint: "http://10.0.0.3:8080/x"},
	}
	for f, want := range map[Format]string{
		Hosts: "10.0.0.1\ta.corp.example\n# b: its address is not in the pool\n# c: its address is not in the pool\n",
		Ansible: "a.corp.example ansible_host=10.0.0.1 ansible_connection=winrm ansible_port=5986 ansible_winrm_scheme=https casement_tags='all|x-1'\nb\n" +
			"c ansible_host=10.0.0.3 ansible_connection=winrm ansible_port=8080 ansible_winrm_scheme=http ansible_winrm_path='/x'\n\n[web]\na.corp.example\nb\n",
	} {
		var out bytes.Buffer
		if err := Write(&out, f, servers); err != nil || out.String() != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", f, err, out.String(), want)
		}
	}
	if err := Write(&bytes.Buffer{}, ServerManager, nil); err == nil {
		t.Error("a format that is not written is written")
	}
}
