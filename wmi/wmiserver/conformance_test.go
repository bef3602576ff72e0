package wmiserver_test

import (
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/casementhq/casement/wmi/wmiserver"
)

// wmiClient is the client of this project for a service.
func (s *service) wmiClient(t *testing.T) *wmiclient.Client {
	t.Helper()
	_, port, err := dcom.ParseStringBinding(s.host)
	if err != nil {
		t.Fatal(err)
	}
	c, err := wmiclient.New("127.0.0.1", wmiclient.Options{Port: port, Credentials: auth.Credentials{Username: "admin", Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (s *service) session(t *testing.T, o cim.Opener) cim.Session {
	t.Helper()
	token := &security.Token{User: security.SIDLocalSystem, Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}}
	session, err := o.Open(t.Context(), cim.Caller{Token: token}, cimtest.Namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// The conformance suite over WMI: this client, real connections, this service, the object manager.
func TestConformance(t *testing.T) {
	s := newService(t, wmiserver.Options{})
	c := s.wmiClient(t)
	cimtest.Run(t, cimtest.Harness{Lost: cimtest.LostByDCOM, Open: func(t *testing.T) cim.Session { return s.session(t, c) }})
	t.Run("same as the object manager", func(t *testing.T) {
		direct, remote := s.session(t, s.manager), s.session(t, c)
		defer direct.Close()
		defer remote.Close()
		for _, line := range cimtest.Compare(cimtest.Transcript(t.Context(), direct), cimtest.Transcript(t.Context(), remote), cimtest.LostByDCOM) {
			t.Error(line)
		}
	})
}
