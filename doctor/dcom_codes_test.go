package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// Codes that a host gives where its service is not well have a row of spec/wmi.md
// 1.9, whichever call brings them.
func TestDCOMCodes(t *testing.T) {
	for _, c := range []struct {
		id, code string
		cause    string
		row      int
		conf     Confidence
		remedy   string
	}{
		{"wmi.namespace", "0x80041033", "wmi.namespace", 32, Certain, "start-wmi"},
		{"wmi.namespace", "0x80070422", "wmi.namespace", 32, Certain, "start-wmi"},
		{"dcom.activate", "0x80080005", "dcom.activate", 32, Certain, "start-wmi"},
		{"dcom.call", "0x80010108", "dcom.call", 33, Likely, "again"},
		{"wmi.namespace", "0x80010114", "wmi.namespace", 33, Likely, "again"},
		{"dcom.call", "0x800706BE", "dcom.call", 32, Certain, "start-wmi"},
		{"epm", "0x800706D9", "epm", 34, Certain, "start-wmi"},
		{"epm", "0x80070005", "epm", 2, Likely, "enable-dcom"},
		{"dcom.activate", "0x80040154", "dcom.activate", 35, Certain, "repair-wmi"},
		{"dcom.activate", "0x8001011C", "dcom.activate", 2, Certain, "enable-dcom"},
		{"dcom.call", "0x8001011B", "dcom.call", 8, Certain, "dcomcnfg-access"},
		{"wmi.namespace", "0x80041008", "wmi.namespace", 18, Certain, "other-namespace"},
		{"wmi.namespace", "0x80041045", "wmi.namespace", 28, Certain, "ask-less"},
		{"wmi.quota", "0x80041067", "wmi.quota", 28, Certain, "ask-less"},
		{"wmi.quota", "0x80041061", "wmi.quota", 28, Certain, "ask-less"},
	} {
		for _, kind := range []hostKind{unknownHost, windowsHost, casementHost} {
			x := newExamination(Target{Name: "srv07"}, as("ops", "Secret"))
			x.told(hostFacts{kind: kind})
			d := (&findings{x: x}).explain(Result{ID: c.id, Outcome: Fail, Code: c.code})
			if d == nil || d.Check != c.cause || d.Row != c.row || d.Confidence != c.conf || d.remedies[0].ID != c.remedy {
				t.Errorf("%s %s: %+v", c.id, c.code, d)
				continue
			}
			for _, m := range d.remedies {
				for _, line := range m.Commands {
					if ours := strings.HasPrefix(line, "casement ") || strings.HasPrefix(line, "systemctl "); m.Where == OnTarget && kind == windowsHost && ours || kind == casementHost && m.Prompt == "cmd" {
						t.Errorf("%s %s on %s: %q", c.id, c.code, kind, line)
					}
				}
			}
		}
	}
	for code, row := range map[krb5.Code]string{krb5.TimeSkew: "set-clock", krb5.TargetUnknown: "name", krb5.NoAuthenticatingAuthority: "kdc", krb5.LogonDenied: "credentials", krb5.EtypeNotSupported: "authority-ntlm"} {
		x := newExamination(Target{Name: "srv07"}, as("anna@CORP.EXAMPLE", "Secret"))
		x.dcom.unproved = &krb5.Error{Code: code, Detail: "what the KDC said", SPN: "RPCSS/srv07"}
		f := unproved(x, x.dcom.unproved)
		d := (&findings{x: x}).explain(Result{ID: "rpc.auth", Outcome: Fail, Code: f.code})
		if d == nil || d.Row != 7 || d.Confidence != Certain || d.remedies[0].ID != row || f.name == "" || !strings.HasPrefix(f.code, "0x8009") {
			t.Errorf("%#x: %+v, %+v", uint32(code), f, d)
		}
	}
}

func as(user, password string) Options {
	p := &patient{}
	p.as(user, password)
	return p.o
}

// What no cause explains is unknown, with what was seen.
func TestUnforeseenIsUnknown(t *testing.T) {
	x := newExamination(Target{Name: "srv07", Transports: []string{"dcom"}}, Options{})
	list := []check{{id: "wmi.namespace", layer: LayerNamespace, title: "The namespace opens", transport: "dcom", run: func(context.Context, *examination) found {
		return failure(errors.Join(errors.New("the host sent a sheep"), &cim.Error{Status: 0x80049999, Remote: true}), "the login fails")
	}}}
	r := &Report{Schema: Schema, Checks: runAll(t.Context(), x, list)}
	conclude(x, list, r)
	c := result(t, r, "wmi.namespace")
	if r.Verdict != Unknown || r.Cause != nil || len(r.Remedies) > 0 || r.Transports["dcom"] != ReachUnknown || c.Code != "0x80049999" || !strings.Contains(c.Seen[0].Saw, "sheep") {
		t.Errorf("%s, %+v, %+v, %+v", r.Verdict, r.Transports, r.Cause, c)
	}
}

// What stands at port 135 harms nothing, whatever it sends.
func TestHostileDCOM(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	garbage := make([]byte, 4096)
	rand.Read(garbage)
	ack := []byte{5, 0, 12, 3, 0x10, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0}
	t.Run("servers", func(t *testing.T) {
		for name, serve := range map[string]func(net.Conn){
			"garbage": func(c net.Conn) { c.Write(garbage) },
			"endless": func(c net.Conn) {
				for {
					if _, err := c.Write(garbage); err != nil {
						return
					}
				}
			},
			"endless fragments": func(c net.Conn) {
				for {
					if _, err := c.Write(append(ack, garbage...)); err != nil {
						return
					}
				}
			},
			"a fragment that never ends": func(c net.Conn) { c.Write(ack); io.Copy(io.Discard, c) },
			"silence":                    func(c net.Conn) { io.Copy(io.Discard, c) },
			"SSH":                        func(c net.Conn) { io.WriteString(c, "SSH-2.0-\x1b[31mOpenSSH\r\n"); io.Copy(io.Discard, c) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := &patient{t: t}
				p.as("ops", "Secret-Ops-1")
				p.o.Limit = 500 * time.Millisecond
				p.target = Target{Name: "127.0.0.1", Transports: []string{"dcom"}, ResolverPort: p.at(serve)}
				begin := time.Now()
				r := p.examine()
				text := show(t, r)
				validReport(t, r)
				if r.Transports["dcom"] != ReachBlocked || r.Cause == nil || r.Cause.Check != "tcp.135" {
					t.Errorf("%v, %+v", r.Transports, r.Cause)
				}
				if strings.ContainsAny(text, "\x1b\x00") {
					t.Errorf("what the peer sent is in the text: %q", text)
				}
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		}
	})
}

// TestFourPlaces: of the four places of checklist 0.01 one is broken at a time, and
// the doctor names that one.
func TestFourPlaces(t *testing.T) {
	for name, breaks := range map[string]func(p *patient){
		"Windows Firewall": func(p *patient) {
			p.o.Limit = time.Second
			p.dial(func(ctx context.Context, port string) error {
				if port == p.resolver() {
					return silent(ctx)
				}
				return nil
			})
		},
		"UAC": func(p *patient) {
			p.AddUser("ops", "Secret-Ops-1", "Administrators")
			p.as("ops", "Secret-Ops-1")
		},
		"DCOM": func(p *patient) {
			p.descriptor(settings.KeyOle, "MachineLaunchRestriction", "O:BAG:BAD:(A;;CCDCSW;;;WD)")
		},
		"CIMOM": func(p *patient) { p.ole(settings.KeyCIMOM, allowName, registry.DWORD(0)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			p.beside()
			p.allow(1)
			p.o.Sinks = sinks(wmiclient.SinkOptions{Anonymous: permitted}, listening{})
			if r := p.examine(); r.Verdict != OK {
				t.Fatalf("before: %s, %+v", r.Verdict, r.Cause)
			}
			breaks(p)
			r := p.examine()
			if r.Cause == nil {
				t.Fatalf("no cause: %+v", r.Checks)
			}
			for _, place := range []string{"Windows Firewall", "UAC", "DCOM", "CIMOM"} {
				if named := strings.Contains(r.Cause.Title, place); named != (place == name) {
					t.Errorf("%s is named: %v: %s", place, named, r.Cause.Title)
				}
			}
		})
	}
}

// A permanent subscription whose parts have different creators is silent, and the
// doctor compares the three. Row 44.
func TestSubscriptionsOfDifferentCreators(t *testing.T) {
	p := newPatient(t)
	p.compile(`root\subscription`, `
instance of __EventFilter as $F { Name = "f"; EventNamespace = "root\\cimv2"; QueryLanguage = "WQL"; Query = "SELECT * FROM __NamespaceCreationEvent"; };
instance of LogFileEventConsumer as $C { Name = "c"; Filename = "/tmp/never"; Text = "x"; };
`)
	// An administrator made the parts, and somebody else binds them.
	p.AddUser("binder", "Secret-Bind-1", "Distributed COM Users")
	p.namespaceSD(`root\subscription`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x6003f;;;BA)(A;;0x3f;;;AU)")
	c := p.session("binder", "Secret-Bind-1", `root\subscription`)
	class, err := c.GetClass(t.Context(), "__FilterToConsumerBinding", cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := cim.NewInstance(class)
	if err := errors.Join(b.Set("Filter", cim.Ref(`__EventFilter.Name="f"`)), b.Set("Consumer", cim.Ref(`LogFileEventConsumer.Name="c"`))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), b, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	p.says(want{cause: "wmi.subscriptions", confidence: Certain, row: 44, failed: "wmi.subscriptions", outcome: Warn, remedy: "recreate", says: "permanent subscriptions are silent", reach: ReachWorks})
}
