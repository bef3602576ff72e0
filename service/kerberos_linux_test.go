package service_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/adtest"
	"github.com/casementhq/casement/internal/kdctest"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// keytabOf is a keytab of MIT's making, of one principal with a random key.
func keytabOf(t *testing.T, principals ...string) string {
	t.Helper()
	b := []byte{5, 2}
	for _, p := range principals {
		name, realm, _ := strings.Cut(p, "@")
		var e []byte
		text := func(s string) { e = append(append(e, byte(len(s)>>8), byte(len(s))), s...) }
		parts := strings.Split(name, "/")
		e = append(e, 0, byte(len(parts)))
		text(realm)
		for _, part := range parts {
			text(part)
		}
		e = append(e, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 18) // type of name, time, version 2, AES-256
		text(strings.Repeat("k", 32))
		b = append(append(b, 0, 0, byte(len(e)>>8), byte(len(e))), e...)
	}
	path := filepath.Join(t.TempDir(), "keytab")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The machine account's keys are copied for the service's user alone, added to those that are there, and taken away.
func TestKeytab(t *testing.T) {
	state, err := service.OpenState(t.TempDir(), service.StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	principals := func() []string {
		if keys := state.Keytab(); keys != nil {
			return keys.Principals()
		}
		return nil
	}
	if there, err := state.RemoveKeytab(); there || err != nil || principals() != nil {
		t.Errorf("a new machine has keys: %v, %v", there, err)
	}
	first := keytabOf(t, "HTTP/a.test@A.TEST", "host/a.test@A.TEST")
	third := keytabOf(t, "a$@A.TEST")
	size := int64(-2) // what the files begin with is there once
	for _, file := range []string{first, third} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	for _, file := range []string{first, first, third} {
		if _, err := state.AddKeytab(file); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"HTTP/a.test@A.TEST", "host/a.test@A.TEST", "a$@A.TEST"}; !slices.Equal(principals(), want) {
		t.Errorf("%q, want %q", principals(), want)
	}
	info, err := os.Stat(state.KeytabPath())
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != size {
		t.Errorf("%v, %v: the same keys were added twice, or others can read them", info, err)
	}
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("no keytab"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := state.AddKeytab(bad); err == nil || len(principals()) != 3 {
		t.Errorf("a damaged file: %v, %q", err, principals())
	}
	if err := os.Chmod(state.KeytabPath(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := state.AddKeytab(keytabOf(t, "b$@A.TEST")); err != nil || len(principals()) != 4 { // the new file has its mode again
		t.Errorf("%v, %q", err, principals())
	}
	if err := os.Chmod(state.KeytabPath(), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(state.KeytabPath(), 0); err != nil || principals() != nil {
		t.Errorf("a file that others can read is used: %v, %q", err, principals())
	}
	if there, err := state.RemoveKeytab(); !there || err != nil || principals() != nil {
		t.Errorf("the keys stay: %v, %v", there, err)
	}
}

// Row 2.81: Kerberos is offered where the setting permits it and the machine has keys, live. See spec/winrm.md 5.2.
func TestKerberosIsOffered(t *testing.T) {
	srv := casementtest.New(t, casementtest.Options{})
	state, url := srv.Service.State, srv.HTTP
	offered := func() string {
		resp, err := http.Post(url, "application/soap+xml", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return strings.Join(resp.Header.Values("WWW-Authenticate"), ", ")
	}
	set := func(value string) { srv.Set("Service/Auth/Kerberos", value) }
	if got := offered(); got != "Negotiate" {
		t.Errorf("without keys: %s", got)
	}
	if _, err := state.AddKeytab(keytabOf(t, "HTTP/a.test@"+adtest.Realm)); err != nil {
		t.Fatal(err)
	}
	if got := offered(); got != "Negotiate, Kerberos" {
		t.Errorf("with keys: %s", got)
	}
	set("false")
	if got := offered(); got != "Negotiate" {
		t.Errorf("with keys and the setting false: %s", got)
	}
	set("true")
	if got := offered(); got != "Negotiate, Kerberos" {
		t.Errorf("with the setting true again: %s", got)
	}
	if _, err := state.RemoveKeytab(); err != nil {
		t.Fatal(err)
	}
	if got := offered(); got != "Negotiate" {
		t.Errorf("with the keys gone: %s", got)
	}
}

// The bindings of DCOM name Kerberos while the machine has keys, with the host's name in them, in the answers to a probe and to an activation, and
// WMI is not started anew for that. See [MS-DCOM] 2.2.19.4.
func TestBindingsNameKerberos(t *testing.T) {
	srv := casementtest.New(t, casementtest.Options{})
	state := srv.Service.State
	blanket := dcom.Blanket{Level: dcerpc.LevelPrivacy, AuthType: dcerpc.AuthNTLM, Initiator: func(string, string) (auth.Initiator, error) {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: srv.User, Password: srv.Password}}), nil
	}}
	host, port, _ := net.SplitHostPort(srv.DCOM)
	at := host + "[" + port + "]"
	told := func() [2][]dcom.SecurityBinding {
		t.Helper()
		c := dcom.NewClient(dcom.ClientOptions{Blanket: blanket}) // which keeps what it was told
		defer c.Close()
		alive, err := c.ServerAlive2(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		found, err := c.Activate(t.Context(), at, wmi.CLSIDLevel1Login, wmi.IIDLevel1Login)
		if err != nil {
			t.Fatal(err)
		}
		return [2][]dcom.SecurityBinding{alive.Bindings.Security, found[0].Exporter().Bindings.Security}
	}
	const kerberos = 16
	expect := func(what string, want ...dcom.SecurityBinding) {
		t.Helper()
		for answer, list := range told() {
			got := slices.DeleteFunc(slices.Clone(list), func(b dcom.SecurityBinding) bool { return b.AuthnSvc != kerberos })
			if !slices.Equal(got, want) || len(list) != len(want)+2 { // NTLM and Negotiate always
				t.Errorf("%s, answer %d: %+v", what, answer, list)
			}
		}
	}
	expect("without keys")
	if _, err := state.AddKeytab(keytabOf(t, "a$@A.TEST", "host/a@A.TEST", "HOST/a.a.test@A.TEST")); err != nil {
		t.Fatal(err)
	}
	expect("with keys", dcom.SecurityBinding{AuthnSvc: kerberos, Principal: "HOST/a.a.test"})
	if _, err := state.RemoveKeytab(); err != nil {
		t.Fatal(err)
	}
	expect("with the keys gone")
}

// A realm of MIT gives no SIDs: its users are known by their names, exactly, and are members of groups by them.
func TestRealmWithoutSIDs(t *testing.T) {
	kdc := kdctest.Start(t, "REALM.TEST")
	kdc.Setenv(t)
	for _, name := range []string{"ann", "Ann", "ben"} {
		kdc.AddPrincipal(name, "Secret-1-word")
	}
	kdc.AddPrincipal("HTTP/srv.realm.test", "")
	srv := casementtest.New(t, casementtest.Options{})
	if _, err := srv.Service.State.AddKeytab(kdc.Keytab("HTTP/srv.realm.test")); err != nil {
		t.Fatal(err)
	}
	if err := srv.Service.State.Accounts.AddMember("Administrators", "ann@REALM.TEST"); err != nil {
		t.Fatal(err)
	}
	at := strings.Replace(srv.HTTP, "127.0.0.1", "srv.realm.test", 1)
	here := func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.Replace(address, "srv.realm.test", "127.0.0.1", 1))
	}
	for user, want := range map[string]bool{"ann": true, "Ann": false, "ben": false} {
		c, err := wsmanclient.New(at, wsmanclient.Options{Scheme: wsmanclient.Kerberos, DialContext: here,
			Credentials: auth.Credentials{Username: user + "@REALM.TEST", Password: "Secret-1-word"}})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := c.Session(`root\cimv2`).Query(t.Context(), "SELECT Caption FROM Win32_OperatingSystem", cim.QueryOptions{})
		if err == nil {
			_, err = rows.Next(t.Context(), 0)
			rows.Close()
		}
		if (err == nil) != want || err != nil && !errors.Is(err, wsman.CodeAccessDenied) {
			t.Errorf("%s: %v", user, err)
		}
		c.Close()
	}
}
