package directory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/casementhq/casement/internal/adtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	adtest.Close()
	os.Exit(code)
}

func TestFilter(t *testing.T) {
	const all = "(&(objectCategory=computer)(!(userAccountControl:1.2.840.113556.1.4.803:=2))"
	for want, o := range map[string]Options{
		all + ")": {Clients: true},
		all + "(|(cn=web*)(dNSHostName=web*))(operatingSystem=*2019*))":                                                      {Clients: true, Name: "web*", System: "*2019*"},
		all + `(|(cn=a\29\28cn=\2a*)(dNSHostName=a\29\28cn=\2a*)))`:                                                          {Clients: true, Name: "a)(cn=\x2a\x2a"},
		all + `(|(operatingSystem=*Server*)(!(operatingSystem=Windows*))(userAccountControl:1.2.840.113556.1.4.803:=8192)))`: {},
		all + `(|(cn=\5c\00\c3\a4)(dNSHostName=\5c\00\c3\a4)))`:                                                              {Clients: true, Name: "\\\x00ä"},
	} {
		if want == all+`(|(cn=a\29\28cn=\2a*)(dNSHostName=a\29\28cn=\2a*)))` {
			want = all + `(|(cn=a\29\28cn=**)(dNSHostName=a\29\28cn=**)))` // a * is what a person may type
		}
		if got := o.filter(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if strings.Contains(want, "**") {
			continue
		}
		if _, err := ldap.CompileFilter(o.filter()); err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// The computers of a domain of Samba, by each way in.
func TestSearch(t *testing.T) {
	t.Setenv("GODEBUG", "x509negativeserial=1") // Samba draws the numbers of its own certificates, and some are below 0
	d := adtest.Shared(t)
	source := tickets.New(tickets.Options{Config: d.Krb5Conf})
	defer source.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// What the controller shows, before anybody knows it.
	secure, err := tls.Dial("tcp", net.JoinHostPort(d.Address, "636"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	pin := fmt.Sprintf("%X", sha256.Sum256(secure.ConnectionState().PeerCertificates[0].Raw))
	secure.Close()

	base := Options{Controller: d.Controller, Address: net.JoinHostPort(d.Address, "389"), Tickets: source}
	admin := base
	admin.Credentials = auth.Credentials{Username: "Administrator@" + adtest.Realm, Password: adtest.Password}
	populate(ctx, t, admin, 40)

	// populate made 40 servers, of which every tenth is disabled, and a client.
	var want []string
	for i := range 40 {
		if i%10 != 0 {
			want = append(want, fmt.Sprintf("web%02d.corp.test", i))
		}
	}
	kerberos := auth.Credentials{Username: adtest.Alice + "@" + adtest.Realm, Password: adtest.Password}
	over := func(f func(*Options)) Options {
		o := base
		o.Credentials, o.Name, o.page = kerberos, "WEB*", 7
		f(&o)
		return o
	}
	for name, c := range map[string]struct {
		o    Options
		want []string
	}{
		"Kerberos, sealed": {over(func(*Options) {}), want},
		"NTLM, sealed": {over(func(o *Options) {
			o.Credentials.Username, o.Controller = adtest.NetBIOS+`\`+adtest.Alice, d.Address
		}), want},
		"StartTLS":                 {over(func(o *Options) { o.Security, o.Thumbprint = StartTLS, pin }), want},
		"LDAPS":                    {over(func(o *Options) { o.Security, o.Thumbprint, o.Address = LDAPS, pin, net.JoinHostPort(d.Address, "636") }), want},
		"the controllers of DNS":   {over(func(o *Options) { o.Controller, o.Domain, o.Resolver = "", adtest.DNSName, srv{d.Controller} }), want},
		"one page":                 {over(func(o *Options) { o.page = 0 }), want},
		"an operating system":      {over(func(o *Options) { o.Name, o.System = "", "Windows Server 2022*" }), []string{"web02.corp.test"}},
		"a client, by name":        {over(func(o *Options) { o.Name = "laptop" }), nil},
		"a client, if asked for":   {over(func(o *Options) { o.Name, o.Clients = "laptop", true }), []string{"laptop"}},
		"a controller is a server": {over(func(o *Options) { o.Name = "dc1" }), []string{"dc1.corp.test"}},
		"nothing by a filter":      {over(func(o *Options) { o.Name = "x)(cn=web01" }), nil},
		"a container":              {over(func(o *Options) { o.Base = "CN=Users,DC=corp,DC=test" }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Search(ctx, c.o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range found.Computers {
				got = append(got, strings.ToLower(x.Name))
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) || found.More {
				t.Errorf("got %v, more %t; want %v", got, found.More, c.want)
			}
			if c.o.Base == "" && found.Base != "DC=corp,DC=test" {
				t.Errorf("the base is %s", found.Base)
			}
		})
	}
	some, err := Search(ctx, over(func(o *Options) { o.Most = 10 }))
	if err != nil || len(some.Computers) != 10 || !some.More {
		t.Errorf("the first ten: %v, %+v", err, some)
	}
	for name, o := range map[string]Options{
		"wrong password":                 over(func(o *Options) { o.Credentials.Password = "wrong" }),
		"wrong password by NTLM":         over(func(o *Options) { o.Credentials.Username, o.Credentials.Password = `CORP\alice`, "wrong" }),
		"wrong password over TLS":        over(func(o *Options) { o.Security, o.Thumbprint, o.Credentials.Password = StartTLS, pin, "wrong" }),
		"nobody":                         over(func(o *Options) { o.Credentials = auth.Credentials{} }),
		"a certificate nobody knows":     over(func(o *Options) { o.Security = StartTLS }),
		"another certificate":            over(func(o *Options) { o.Security, o.Thumbprint = StartTLS, strings.Repeat("0", 64) }),
		"nobody over TLS":                over(func(o *Options) { o.Security, o.Thumbprint, o.Credentials = StartTLS, pin, auth.Credentials{} }),
		"a base that is not there":       over(func(o *Options) { o.Base = "OU=none,DC=corp,DC=test" }),
		"another controller's principal": over(func(o *Options) { o.Controller, o.Credentials.Username = "dc2.corp.test", "" }),
		"neither domain nor controller":  over(func(o *Options) { o.Controller = "" }),
	} {
		if found, err := Search(ctx, o); err == nil {
			t.Errorf("%s: found %d", name, len(found.Computers))
		} else if strings.Contains(err.Error(), adtest.Password) {
			t.Errorf("%s: a password is told: %v", name, err)
		}
	}
}

type srv struct{ host string }

func (s srv) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if service != "ldap" || proto != "tcp" || name != "dc._msdcs."+adtest.DNSName {
		return "", nil, errors.New("no such service")
	}
	return "", []*net.SRV{{Target: s.host + ".", Port: 389}}, nil
}

// populate adds computers: servers web00 to web39 and a client.
func populate(ctx context.Context, t *testing.T, o Options, n int) {
	t.Helper()
	raw, err := net.Dial("tcp", o.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c, err := o.signIn(ctx, raw, o.Controller)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	add := func(name, dns, system, control string) {
		r := ldap.NewAddRequest("CN="+name+",CN=Computers,DC=corp,DC=test", nil)
		r.Attribute("objectClass", []string{"computer"})
		r.Attribute("sAMAccountName", []string{name + "$"})
		r.Attribute("userAccountControl", []string{control})
		r.Attribute("operatingSystem", []string{system})
		if dns != "" {
			r.Attribute("dNSHostName", []string{dns})
		}
		if err := c.Add(r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for i := range n {
		name, system, control := fmt.Sprintf("web%02d", i), "Windows Server 2019 Standard", "4096"
		if i == 2 {
			system = "Windows Server 2022 Datacenter"
		}
		if i%10 == 0 {
			control = "4098"
		}
		add(name, name+".corp.test", system, control)
	}
	add("laptop", "", "Windows 11 Pro", "4096")
}

// A controller that sends anything harms its own search only.
func FuzzBindResult(f *testing.F) {
	f.Add(element(0x30, element(2, []byte{1}), element(0x61, element(10, []byte{14}), element(4), element(4), element(0x87, []byte("token")))))
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x30, 0x06, 2, 1, 1, 0x61, 0x85, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := readElement(bytes.NewReader(b)); err == nil && !bytes.HasPrefix(b, e) {
			t.Fatal("an element is not what was sent")
		}
		_, _, _, _ = bindResult(b)
	})
}

// plain is a context that changes nothing, so that the frames show.
type plain struct{ auth.Context }

func (plain) SignatureSize() int                 { return 2 }
func (plain) Seal([]auth.Buffer) ([]byte, error) { return []byte("ab"), nil }
func (plain) Unseal(_ []auth.Buffer, s []byte) error {
	if string(s) != "ab" {
		return auth.ErrMessageAltered
	}
	return nil
}

func FuzzSealed(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05abxyz\x00\x00\x00\x02ab"))
	f.Add([]byte("\xff\xff\xff\xffab"))
	f.Add([]byte("\x00\x00\x00\x01a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &sealed{Conn: &bounded{Conn: fromBytes{r: bytes.NewReader(b)}, left: 1 << 20}, context: plain{}}
		_, _ = io.Copy(io.Discard, io.LimitReader(s, 1<<16))
	})
}

type fromBytes struct {
	net.Conn
	r *bytes.Reader
}

func (f fromBytes) Read(p []byte) (int, error) { return f.r.Read(p) }
