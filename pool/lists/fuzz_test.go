package lists

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// fuzz reads anything: an error is an *Error and leaves nothing; what is taken can be
// written and read again in every format.
func fuzz(f *testing.F, format Format, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := Read(bytes.NewReader(b), format, "")
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || list != nil {
				t.Fatalf("%v, %v", err, list)
			}
			return
		}
		for _, s := range list.Servers {
			if check(&s) != nil {
				t.Fatalf("%q is taken", s.Name)
			}
		}
		for _, w := range []Format{CSV, JSON} {
			var out bytes.Buffer
			if err := Write(&out, w, list.Servers); err != nil {
				t.Fatal(err)
			}
			again, err := Read(&out, w, "")
			if err != nil || len(again.Servers) != len(list.Servers) {
				t.Fatalf("%s: %v", w, err)
			}
		}
	})
}

func FuzzCSV(f *testing.F) {
	fuzz(f, CSV, "name,tags,note\na,x|y,'=1\n", "name;paused\na;true")
}

func FuzzAdminCenter(f *testing.F) {
	fuzz(f, AdminCenter, "name,type,tags,groupId\na,msft.sme.connection-type.server,x|y z,global\nb,msft.sme.connection-type.windows-client,,\n")
}

func FuzzServerManager(f *testing.F) {
	fuzz(f, ServerManager, `<ServerList xmlns="urn:serverpool-schema"><ServerInfo name="a"/></ServerList>`)
}

func FuzzText(f *testing.F) { fuzz(f, Text, "a\n10.0.0.1 # b\nc,d", "\xff\xfea\x00") }

func FuzzHosts(f *testing.F) { fuzz(f, Hosts, "10.0.0.1 a b # c\nfe80::1%x a\n::1 localhost") }

func FuzzJSON(f *testing.F) {
	fuzz(f, JSON, `[{"name":"a","tags":["x y"]}]`, `{"schema":"casement.servers/1","servers":[]}`)
}

func FuzzAnsible(f *testing.F) {
	fuzz(f, Ansible, "a[1:3] ansible_host='b' x=\"y\"\n[g:vars]\nansible_port=5985\n[h:children]\ng\n[g]\nc:5986\n", "[a:children]\nb\n[b:children]\na")
}

func FuzzAnsibleYAML(f *testing.F) {
	fuzz(f, AnsibleYAML, "all:\n  hosts:\n    a[1:2]:\n      ansible_host: 'b'\n  children:\n    g:\n      vars: {}\n", "a:\n- b\n", "a:\n  vars:\n    x: !vault |\n      $ANSIBLE_VAULT\n")
}

func FuzzDetect(f *testing.F) {
	f.Add("", "name\na")
	f.Add("x.yml", "[{")
	f.Fuzz(func(t *testing.T, name, text string) {
		if format := Detect(name, text); readers[format] == nil {
			t.Fatal(format)
		}
		_, _ = Read(strings.NewReader(text), "", name)
	})
}
