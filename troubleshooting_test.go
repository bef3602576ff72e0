package casement_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcerpc/epm"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi"
)

// trouble is a service with its accounts, and who asks it.
type trouble struct {
	*casementtest.Server
	t *testing.T
}

// TestTroubleshooting causes each row of docs/troubleshooting.md at a running
// service: the client sees the code of the row, and none once it is mended. Issue
// 5, shown by 4; spec/wmi.md 1.9.
func TestTroubleshooting(t *testing.T) {
	page, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	left := maps.Clone(troubles)
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, " | ")
		if !strings.HasSuffix(line, "| TestTroubleshooting |\n") {
			continue
		}
		row, code := strings.TrimPrefix(cells[0], "| "), cells[1]
		cause := left[row]
		if cause == nil {
			t.Errorf("nothing causes row %s", row)
			continue
		}
		delete(left, row)
		t.Run("row "+row, func(t *testing.T) {
			s := trouble{casementtest.New(t, casementtest.Options{}), t}
			cause(s, func(what string, err error) {
				t.Helper()
				if got := codeOf(err); got != code {
					t.Errorf("%s: %s, want %s (%v)", what, got, code, err)
				}
			})
		})
	}
	for row := range left {
		t.Errorf("row %s is not on the page", row)
	}
}

// codeOf is the code by which the field knows an error: that of the lowest layer.
func codeOf(err error) string {
	var hr *dcom.Error
	var fault *dcerpc.Fault
	var c *cim.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &hr):
		return fmt.Sprintf("0x%08X", hr.HRESULT)
	case errors.As(err, &fault):
		return fmt.Sprintf("0x%08X", uint32(fault.Status))
	case errors.As(err, &c):
		return fmt.Sprintf("0x%08X", uint32(c.Status))
	}
	return err.Error()
}

// mended fails where something still goes wrong.
func (s trouble) mended(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Errorf("mended, and still: %v", err)
	}
}

func (s trouble) dial(user, password string, o casement.DCOMOptions) *casement.Connection {
	return dial(s.t, "dcom://"+s.DCOM, casement.Options{User: user, Password: password, DCOM: o})
}

// ask signs in and asks for the computer.
func (s trouble) ask(user, password, namespace string, o casement.DCOMOptions) error {
	s.t.Helper()
	session, err := s.dial(user, password, o).Session(s.t.Context(), namespace)
	if err != nil {
		return err
	}
	defer session.Close()
	_, err = session.GetClass(s.t.Context(), "__SystemClass", cim.GetOptions{})
	return err
}

// session is one of the administrator's in root\cimv2.
func (s trouble) session() cim.Session {
	return in(s.t, s.dial(s.User, s.Password, casement.DCOMOptions{}), `root\cimv2`)
}

// rpc is a connection to port 135 without authentication.
func (s trouble) rpc() *dcerpc.Conn {
	s.t.Helper()
	c, err := dcerpc.Dial(s.t.Context(), "tcp", s.DCOM, dcerpc.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// com is a client of objects as the administrator.
func (s trouble) com() (c *dcom.Client, host string) {
	c = dcom.NewClient(dcom.ClientOptions{Blanket: dcom.Blanket{AuthType: dcerpc.AuthNTLM, Initiator: func(string, string) (auth.Initiator, error) {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: s.User, Password: s.Password}}), nil
	}}})
	s.t.Cleanup(func() { c.Close() })
	name, port, _ := strings.Cut(s.DCOM, ":")
	return c, name + "[" + port + "]"
}

// descriptor gives a namespace another descriptor, as the service itself.
func (s trouble) descriptor(namespace, sddl string) {
	s.t.Helper()
	sd, err := security.ParseSDDL(sddl)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := sd.Bytes()
	if err != nil {
		s.t.Fatal(err)
	}
	session := in(s.t, dial(s.t, ".", casement.Options{Opener: system{s.Service.CIM}}), namespace)
	_, err = session.Invoke(s.t.Context(), cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "SetSD",
		cim.Arguments{{Name: "SD", Value: cim.Bytes(b)}}, cim.OperationOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

// user may pass DCOM.
func (s trouble) user() {
	s.AddUser("reader", "Read-1", "Distributed COM Users")
}

// events begins a notification query and reads once.
func (s trouble) events(query string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
	defer cancel()
	e, err := s.session().(cim.Subscriber).Subscribe(ctx, query, cim.SubscribeOptions{})
	if err != nil {
		return err
	}
	defer e.Close()
	_, err = e.Next(ctx, 1)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cim.ErrCallCancelled) || errors.Is(err, cim.ErrTimedOut) {
		return nil
	}
	return err
}

// rows reads what a query gives.
func (s trouble) rows(query string) error {
	e, err := s.session().Query(s.t.Context(), query, cim.QueryOptions{})
	if err != nil {
		return err
	}
	return cim.Each(s.t.Context(), e, func(*cim.Instance) error { return nil })
}

type seen func(what string, err error)

// troubles cause the rows.
var troubles = map[string]func(s trouble, see seen){
	"2": func(s trouble, see seen) {
		enable := func(v string) {
			s.Apply(settings.Change{Key: settings.KeyOle, Name: "EnableDCOM", Value: registry.SZ(v)})
		}
		ask := func(want string) (err error) { // a port closes and opens within a moment
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if err = s.ask(s.User, s.Password, `root\cimv2`, casement.DCOMOptions{}); codeOf(err) == want {
					break
				}
			}
			return err
		}
		enable("N")
		see("no DCOM", ask("0x800706BA"))
		enable("Y")
		s.mended(ask("ok"))
	},
	"6": func(s trouble, see seen) {
		c, host := s.com()
		low := dcom.NewClient(dcom.ClientOptions{Blanket: dcom.Blanket{AuthType: dcerpc.AuthNTLM, Level: dcerpc.LevelPacket, Exactly: true, Initiator: func(string, string) (auth.Initiator, error) {
			return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: s.User, Password: s.Password}}), nil
		}}})
		defer low.Close()
		_, err := low.Activate(s.t.Context(), host, wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
		see("packet", err)
		_, err = c.Activate(s.t.Context(), host, wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
		s.mended(err)
	},
	"7": func(s trouble, see seen) {
		see("a wrong password", s.ask(s.User, "not "+s.Password, `root\cimv2`, casement.DCOMOptions{}))
		see("an unknown account", s.ask("nobody", "x", `root\cimv2`, casement.DCOMOptions{}))
		s.mended(s.ask(s.User, s.Password, `root\cimv2`, casement.DCOMOptions{}))
	},
	"8": func(s trouble, see seen) {
		s.AddUser("reader", "Read-1")
		s.descriptor(`root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x21;;;AU)")
		see("a plain user", s.ask("reader", "Read-1", `root\cimv2`, casement.DCOMOptions{}))
		if err := s.Service.State.Accounts.AddMember("Distributed COM Users", "reader"); err != nil {
			s.t.Fatal(err)
		}
		s.mended(s.ask("reader", "Read-1", `root\cimv2`, casement.DCOMOptions{}))
	},
	"9": func(s trouble, see seen) {
		s.AddUser("manager", "Manage-1", "Administrators")
		see("a local administrator", s.ask("manager", "Manage-1", `root\cimv2`, casement.DCOMOptions{}))
		s.Apply(settings.SetLocalAccountTokenFilterPolicy(true))
		s.mended(s.ask("manager", "Manage-1", `root\cimv2`, casement.DCOMOptions{}))
	},
	"12": func(s trouble, see seen) {
		root := in(s.t, dial(s.t, ".", casement.Options{Opener: system{s.Service.CIM}}), "root")
		_, err := root.Invoke(s.t.Context(), cim.ObjectPath{Class: "Casement_Repository"}, "Compile", cim.Arguments{
			{Name: "MOF", Value: cim.Str(`[RequiresEncryption] instance of __NAMESPACE { Name = "sealed"; };`)}, {Name: "Namespace", Value: cim.Str("root")}}, cim.OperationOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		see("packet integrity", s.ask(s.User, s.Password, `root\sealed`, casement.DCOMOptions{AuthenticationLevel: wmi.AuthenticationPktIntegrity}))
		s.mended(s.ask(s.User, s.Password, `root\sealed`, casement.DCOMOptions{}))
	},
	"13": func(s trouble, see seen) {
		s.user()
		s.descriptor(`root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x1;;;AU)")
		see("Enable alone", s.ask("reader", "Read-1", `root\cimv2`, casement.DCOMOptions{}))
		s.descriptor(`root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x20;;;AU)")
		see("Remote Enable alone", s.ask("reader", "Read-1", `root\cimv2`, casement.DCOMOptions{}))
		s.descriptor(`root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;0x21;;;AU)")
		s.mended(s.ask("reader", "Read-1", `root\cimv2`, casement.DCOMOptions{}))
	},
	"14": func(s trouble, see seen) {
		s.user()
		call := func(mask string) error {
			s.descriptor(`root\cimv2`, "O:BAG:BAD:(A;;0x6003f;;;SY)(A;;"+mask+";;;AU)")
			session := in(s.t, s.dial("reader", "Read-1", casement.DCOMOptions{}), `root\cimv2`)
			_, err := session.Invoke(s.t.Context(), cim.ObjectPath{Class: "StdRegProv"}, "EnumKey",
				cim.Arguments{{Name: "hDefKey", Value: cim.U32(0x80000002)}, {Name: "sSubKeyName", Value: cim.Str("SOFTWARE")}}, cim.OperationOptions{})
			return err
		}
		see("without Execute Methods", call("0x21"))
		s.mended(call("0x23"))
	},
	"19": func(s trouble, see seen) {
		see("no such namespace", s.ask(s.User, s.Password, `root\nothing`, casement.DCOMOptions{}))
	},
	"20": func(s trouble, see seen) {
		see("a query", s.rows("SELECT * FROM No_Such_Class"))
	},
	"21": func(s trouble, see seen) {
		_, err := s.session().Get(s.t.Context(), cim.ObjectPath{Class: "Win32_Service", Keys: []cim.Key{{Name: "Name", Value: cim.Str("no such service")}}}, cim.GetOptions{})
		see("an instance", err)
	},
	"22": func(s trouble, see seen) {
		_, err := s.session().Get(s.t.Context(), cim.ObjectPath{Class: `Win32_Service.Name=`}, cim.GetOptions{})
		see("a path", err)
	},
	"23": func(s trouble, see seen) {
		see("a query", s.rows("SELECT * FORM Win32_Service"))
	},
	"24": func(s trouble, see seen) {
		rows, err := s.session().Query(s.t.Context(), "SELECT * FROM Win32_ComputerSystem", cim.QueryOptions{Language: "SQL"})
		if err == nil {
			rows.Close()
		}
		see("SQL", err)
	},
	"25": func(s trouble, see seen) {
		see("no WITHIN", s.events("SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_ComputerSystem'"))
		s.mended(s.events("SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Win32_ComputerSystem'"))
	},
	"26": func(s trouble, see seen) {
		see("a class that is no event", s.events("SELECT * FROM Win32_ComputerSystem"))
	},
	"34": func(s trouble, see seen) {
		b, err := s.rpc().Bind(s.t.Context(), epm.ID, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		_, err = epm.Map(s.t.Context(), b, dcerpc.Syntax("12345778-1234-abcd-ef00-0123456789ac", 1, 0), security.GUID{})
		see("an interface of another service", err)
	},
	"35": func(s trouble, see seen) {
		c, host := s.com()
		_, err := c.Activate(s.t.Context(), host, wmi.CLSIDClassObject, wmi.IIDLevel1Login)
		see("another class", err)
	},
	"36": func(s trouble, see seen) {
		c, host := s.com()
		list, err := c.Activate(s.t.Context(), host, wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
		if err != nil {
			s.t.Fatal(err)
		}
		_, err = list[0].QueryInterface(s.t.Context(), wmi.IIDCallResult)
		see("another interface", err)
	},
}
