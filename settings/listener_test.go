package settings

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/registry"
)

const (
	thumbWeb  = "1111111111111111111111111111111111111111"
	thumbMail = "2222222222222222222222222222222222222222"
	thumbUser = "3333333333333333333333333333333333333333"
)

func testHost() Host {
	addrs := func(list ...string) (out []netip.Addr) {
		for _, a := range list {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	return Host{
		Name: "web.example.org",
		Interfaces: []Interface{
			{Addrs: addrs("::1", "127.0.0.1")},
			{MAC: []byte{0, 0x1A, 2, 3, 4, 5}, Addrs: addrs("fe80::1%12", "10.0.0.5")},
			{MAC: []byte{0, 0x1A, 2, 3, 4, 6}},
		},
		Certificates: []Certificate{
			{Thumbprint: thumbUser, Names: []string{"web.example.org"}},
			{Thumbprint: thumbMail, Names: []string{"mail.example.net"}, ServerAuth: true},
			{Thumbprint: thumbWeb, Names: []string{"*.example.org"}, ServerAuth: true},
		},
	}
}

func keys(address, transport string) []NameValue {
	return []NameValue{{Name: "Address", Value: address}, {Name: "Transport", Value: transport}}
}

// Create of [MS-WSMV] 3.1.4.1.29.5: statements 6 to 9, 11 and 13.
func TestCreateListener(t *testing.T) {
	r := registry.NewTree()
	w := load(t, r, Current)
	for _, row := range []struct {
		id        string
		selectors []NameValue
		body      []NameValue
		code      uint32
		port      uint32
		thumb     string
	}{
		{"6: HTTP Create without Port -> 5985", keys("*", "HTTP"), nil, 0, 5985, ""},
		{"6: HTTPS Create without Port -> 5986", keys("*", "HTTPS"), nil, 0, 5986, thumbWeb},
		{"7: HTTPS Create without thumbprint and no matching cert -> failure", keys("*", "HTTPS"), []NameValue{{Name: "Hostname", Value: "other.example.net"}}, CodeCertNotFound, 0, ""},
		{"8: HTTP Create with thumbprint -> 0x803380EB", keys("*", "HTTP"), []NameValue{{Name: "CertificateThumbprint", Value: thumbWeb}}, 0x803380EB, 0, ""},
		{"9: Listener Create with unknown IP -> wsman:InternalError", keys("IP:10.9.9.9", "HTTP"), nil, CodeListenerAddress, 0, ""},
		{"an IP of the host", keys("IP:10.0.0.5", "HTTP"), nil, 0, 5985, ""},
		{"an IPv6 of the host", keys("ip:[fe80::1]", "http"), nil, 0, 5985, ""},
		{"11: Address foo -> 0x80338089", keys("foo", "HTTP"), nil, 0x80338089, 0, ""},
		{"11: MAC of 5 pairs", keys("MAC:00-1a-02-03-04", "HTTP"), nil, 0x80338089, 0, ""},
		{"MAC in any case", keys("mac:00-1A-02-03-04-05", "HTTP"), nil, 0, 5985, ""},
		{"MAC not on host", keys("MAC:00-1a-02-03-04-07", "HTTP"), nil, 0x8033807B, 0, ""},
		{"MAC without address", keys("MAC:00-1a-02-03-04-06", "HTTP"), nil, 0x8033807C, 0, ""},
		{"Transport FTP", keys("*", "FTP"), nil, CodeSchemaValidation, 0, ""},
		{"one selector", keys("*", "HTTP")[:1], nil, CodeUnexpectedSelectors, 0, ""},
		{"a third selector", append(keys("*", "HTTP"), NameValue{Name: "x", Value: "y"}), nil, CodeUnexpectedSelectors, 0, ""},
		{"Port 0", keys("*", "HTTP"), []NameValue{{Name: "Port", Value: "0"}}, CodePortInvalid, 0, ""},
		{"Port 65536", keys("*", "HTTP"), []NameValue{{Name: "Port", Value: "65536"}}, CodePortInvalid, 0, ""},
		{"Port 8080", keys("*", "HTTP"), []NameValue{{Name: "Port", Value: "8080"}}, 0, 8080, ""},
		{"13: URLPrefix /a", keys("*", "HTTP"), []NameValue{{Name: "URLPrefix", Value: "/a"}}, CodeSchemaValidation, 0, ""},
		{"port instead of Port", keys("*", "HTTP"), []NameValue{{Name: "port", Value: "1"}}, CodeSchemaValidation, 0, ""},
		{"ListeningOn", keys("*", "HTTP"), []NameValue{{Name: "ListeningOn", Value: "::1"}}, CodeReadOnly, 0, ""},
		{"wrong EKU -> 0x803380EE", keys("*", "HTTPS"), []NameValue{{Name: "CertificateThumbprint", Value: thumbUser}}, 0x803380EE, 0, ""},
		{"CN != Hostname -> 0x803380E9", keys("*", "HTTPS"), []NameValue{{Name: "CertificateThumbprint", Value: thumbMail}}, 0x803380E9, 0, ""},
		{"unknown thumbprint", keys("*", "HTTPS"), []NameValue{{Name: "CertificateThumbprint", Value: strings.Repeat("4", 40)}}, CodeCertNotFound, 0, ""},
		{"thumbprint and its Hostname", keys("*", "HTTPS"), []NameValue{{Name: "Hostname", Value: "mail.example.net"}, {Name: "CertificateThumbprint", Value: thumbMail}}, 0, 5986, thumbMail},
	} {
		l, changes, err := CreateListener(r, w, testHost(), row.selectors, row.body)
		wantCode(t, row.id, err, row.code)
		if err != nil {
			continue
		}
		list, bad := Listeners(hive(t, nil, changes...), w)
		if len(bad) > 0 || len(list) != 1 || list[0] != l || l.Port != row.port || l.CertificateThumbprint != row.thumb {
			t.Errorf("%s: created %+v, read back %+v %+v", row.id, l, list, bad)
		}
	}
}

// Put of [MS-WSMV] 3.1.4.1.29.5: statement 10, and the keys that cannot change.
func TestPutAndDeleteListener(t *testing.T) {
	empty := registry.NewTree()
	w := load(t, empty, Current)
	_, changes, err := CreateListener(empty, w, testHost(), keys("*", "HTTP"), nil)
	wantCode(t, "create", err, 0)
	r := hive(t, nil, changes...)
	_, _, err = CreateListener(r, w, testHost(), keys("*", "http"), nil)
	wantCode(t, "duplicate Create -> wsman:AlreadyExists", err, CodeAlreadyExists)
	for _, row := range []struct {
		id, name, value string
		code            uint32
	}{
		{"10: Put with ListeningOn -> wsman:InternalError", "ListeningOn", "127.0.0.1", CodeReadOnly},
		{"Put cannot change Address", "Address", "IP:10.0.0.5", 0x803380ED},
		{"Put cannot change Transport", "Transport", "HTTPS", 0x803380ED},
		{"the same key", "Address", "*", 0}, {"Enabled", "Enabled", "false", 0}, {"Enabled maybe", "Enabled", "maybe", CodeSchemaValidation},
	} {
		_, _, err := PutListener(r, w, testHost(), keys("*", "HTTP"), []NameValue{{Name: row.name, Value: row.value}})
		wantCode(t, row.id, err, row.code)
		if e, ok := err.(*Error); ok && row.name == "ListeningOn" && e.Subcode != SubcodeInternal {
			t.Errorf("%s: subcode %s", row.id, e.Subcode)
		}
	}
	_, _, err = CreateListener(r, w, testHost(), keys("*", "HTTPS"), []NameValue{{Name: "Port", Value: "5985"}})
	wantCode(t, "HTTPS on the port of HTTP", err, CodeSSLConfigShared)
	_, _, err = PutListener(r, w, testHost(), keys("*", "HTTPS"), nil)
	wantCode(t, "Put of a missing one", err, CodeResourceNotFound)
	del, err := DeleteListener(r, w, keys("*", "HTTP"))
	wantCode(t, "delete", err, 0)
	if list, _ := Listeners(hive(t, nil, append(changes, del...)...), w); len(list) != 0 {
		t.Errorf("after the delete %+v", list)
	}
}

// Policy-created listeners carry Source="GPO" (spec/winrm.md 3.5, 3.8).
func TestPolicyListener(t *testing.T) {
	p := gpo(on("Service", "AllowAutoConfig"), Change{Key: "Service", Name: "IPv4Filter", Value: registry.SZ("*")})
	r := hive(t, p)
	w := load(t, r, Current)
	list, bad := Listeners(r, w)
	if len(list) != 1 || len(bad) > 0 || list[0].Source.String() != "GPO" || list[0].Port != 5985 || list[0].Address != "*" {
		t.Fatalf("%+v %+v", list, bad)
	}
	_, _, err := CreateListener(r, w, testHost(), keys("*", "HTTP"), nil)
	wantCode(t, "create beside it", err, CodeAlreadyExists)
	_, _, err = PutListener(r, w, testHost(), keys("*", "HTTP"), nil)
	wantCode(t, "put", err, CodeGPOControlled)
	_, err = DeleteListener(r, w, keys("*", "HTTP"))
	wantCode(t, "delete", err, CodeGPOControlled)
}

// Statement 12: ListeningOn excludes addresses outside IPv4Filter/IPv6Filter; blank
// filter = none. [MS-WSMV] 2.2.4.36. The order is that of spec/winrm.md 1.5.
func TestListeningOn(t *testing.T) {
	for _, row := range []struct{ address, v4, v6, want string }{
		{"*", "*", "*", "10.0.0.5, 127.0.0.1, ::1, fe80::1%12"},
		{"*", "*", "", "10.0.0.5, 127.0.0.1"},
		{"*", "", "[::1]-[::1]", "::1"},
		{"*", "", "", ""},
		{"*", "10.0.0.0-10.255.255.255", "fe80::-fe80::ffff", "10.0.0.5, fe80::1%12"},
		{"IP:10.0.0.5", "*", "*", "10.0.0.5"},
		{"IP:10.0.0.5", "127.0.0.1-127.0.0.1", "*", ""},
		{"MAC:00-1a-02-03-04-05", "*", "*", "10.0.0.5, fe80::1%12"},
	} {
		v4, err4 := ParseIPv4Filter(row.v4)
		v6, err6 := ParseIPv6Filter(row.v6)
		if err4 != nil || err6 != nil {
			t.Fatal(err4, err6)
		}
		l := Listener{Address: row.address, Transport: "HTTP", Enabled: true}
		var got []string
		for _, a := range l.ListeningOn(testHost(), v4, v6) {
			got = append(got, a.String())
		}
		if s := strings.Join(got, ", "); s != row.want {
			t.Errorf("%+v: %s", row, s)
		}
		l.Enabled = false
		if on := l.ListeningOn(testHost(), v4, v6); len(on) > 0 {
			t.Errorf("disabled, but listens on %v", on)
		}
	}
}

// The elements and their order of spec/winrm.md 1.5.
func TestListenerFields(t *testing.T) {
	l := Listener{Address: "*", Transport: "HTTP", Port: 5985, Enabled: true, URLPrefix: "wsman"}
	var got []string
	for _, f := range l.Fields([]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}) {
		got = append(got, fmt.Sprintf("%s=%s", f.Name, f.Value))
	}
	want := []string{"Address=*", "Transport=HTTP", "Port=5985", "Hostname=", "Enabled=true", "URLPrefix=wsman", "CertificateThumbprint=", "ListeningOn=127.0.0.1", "ListeningOn=::1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestDamagedListenerDoesNotListen(t *testing.T) {
	w := load(t, registry.NewTree(), Current)
	for _, c := range []Change{
		{Key: KeyListener + `\foo+HTTP`, Name: "Port", Value: registry.DWORD(1)},
		{Key: KeyListener + `\*+HTTP`, Name: "Port", Value: registry.SZ("1")},
		{Key: KeyListener + `\*+HTTP`, Name: "Port", Value: registry.DWORD(70000)},
		{Key: KeyListener + `\*+HTTP`, Name: "Enabled", Value: registry.DWORD(2)},
	} {
		list, bad := Listeners(hive(t, nil, c), w)
		if len(list) != 0 || len(bad) != 1 || bad[0].Err.Code != CodeConfigCorrupted {
			t.Errorf("%+v: %+v %+v", c, list, bad)
		}
	}
}
