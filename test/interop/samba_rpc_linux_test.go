package interop

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcerpc/epm"
	"github.com/casementhq/casement/internal/kdctest"
)

// Samba's tests of a DCE/RPC server want port 135 and an address of their own.
const sambaTarget = "127.0.0.60"

// rpcServer serves the endpoint mapper, the management interface and one operation of Netlogon, which Samba's tests use for long requests. With keys it
// takes Kerberos beside NTLM.
func rpcServer(t *testing.T, keys *krb5.Keytab) {
	t.Helper()
	replays := krb5.NewReplays()
	ticket := func() auth.Acceptor {
		return krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: keys, Replays: replays, DCE: true})
	}
	accept := func() auth.Acceptor {
		return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "HOST", AllowAnonymous: true, Secrets: func(_ context.Context, _, user string) ([16]byte, error) {
			if user != "bob" {
				return [16]byte{}, auth.ErrLogonFailure
			}
			return ntlm.NTHash("Casement-1"), nil
		}})
	}
	mapper := &epm.Mapper{}
	s := dcerpc.NewServer(dcerpc.ServerOptions{
		MaxAnonymous:  4 << 20, // as much as Windows takes
		MaxSecurity:   16,      // so many, and one more, the case of the limit makes
		PrincipalName: func(dcerpc.AuthType) string { return "host/HOST" },
		Acceptor: func(k dcerpc.AuthType, _ net.Addr) (auth.Acceptor, error) {
			switch k {
			case dcerpc.AuthNTLM:
				return accept(), nil
			case dcerpc.AuthSPNEGO:
				mechs := []spnego.AcceptorMechanism{{OID: spnego.OIDNTLM, New: accept}}
				if keys != nil {
					mechs = append(mechs, spnego.AcceptorMechanism{OID: spnego.OIDKerberos, New: ticket})
				}
				return spnego.NewAcceptor(mechs...), nil
			case dcerpc.AuthKerberos:
				if keys != nil {
					return ticket(), nil
				}
			}
			return nil, auth.ErrUnsupported
		},
	})
	netlogon := &dcerpc.Interface{
		ID: dcerpc.Syntax("12345678-1234-abcd-ef00-01234567cffb", 1, 0), Name: "netlogon", MinLevel: dcerpc.LevelNone,
		Serve: func(_ context.Context, call *dcerpc.Call) error {
			if call.Opnum != 4 { // NetrServerReqChallenge
				return &dcerpc.Fault{Status: dcerpc.StatusOpRange}
			}
			call.Out.Raw(binary.LittleEndian.AppendUint64(nil, 1))
			call.Out.Uint32(0)
			return nil
		},
	}
	for _, i := range []*dcerpc.Interface{mapper.Interface(), netlogon} {
		s.Register(i)
		mapper.Register(epm.Endpoint{Interface: i.ID, Port: 135})
	}
	l, err := net.Listen("tcp", sambaTarget+":135")
	if err != nil {
		t.Skipf("port 135 is not to be had: %v", err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// sambaFolder is a configuration of Samba's clients.
func sambaFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var conf strings.Builder
	conf.WriteString("[global]\nnetbios name = CLIENT\nworkgroup = HOST\n")
	for _, name := range []string{"private dir", "lock directory", "state directory", "cache directory"} {
		fmt.Fprintf(&conf, "%s = %s\n", name, dir)
	}
	name := filepath.Join(dir, "smb.conf")
	if err := os.WriteFile(name, []byte(conf.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// notForUs are the cases of raw_protocol that want what is not there.
var notForUs = []struct{ cases, reason string }{
	{`lsa_multi_auth_.*`, "LSA over a named pipe"},
	{`assoc_group_(ok2|fail3)`, "a named pipe beside the TCP connection"},
}

// Samba's raw_protocol (python3-samba 4.17): 194 conversations, each validated against Windows, with NTLM and with the tickets of a KDC of MIT. See [MS-RPCE] 3.3.
func TestSambaRawProtocol(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's own, which has the module
	if out, err := exec.Command(python, "-c", "import samba.tests.dcerpc.raw_protocol").CombinedOutput(); err != nil {
		absent(t, "python3-samba: "+strings.TrimSpace(string(out)))
	}
	kdc := kdctest.Start(t, "HOST.EXAMPLE")
	const host = "server.host.example"
	kdc.AddPrincipal("bob", "Casement-1")
	kdc.AddPrincipal("host/"+host, "")
	keys, err := krb5.LoadKeytab(kdc.Keytab("host/" + host))
	if err != nil {
		t.Fatal(err)
	}
	rpcServer(t, keys)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-m", "unittest", "-v", "samba.tests.dcerpc.raw_protocol")
	cmd.Env = append(kdc.Env(), "SMB_CONF_PATH="+sambaFolder(t), "SERVER="+sambaTarget, "TARGET_HOSTNAME="+host, "USERNAME=bob", "PASSWORD=Casement-1",
		"DOMAIN=HOST", "REALM=HOST.EXAMPLE", "IGNORE_RANDOM_PAD=1", "MAX_NUM_AUTH=16")
	out, _ := cmd.CombinedOutput() // its exit code counts the cases that are not for us
	// "test_x (...) ... ok", with what the case prints between the dots and the word.
	results := map[string]string{}
	start, end := regexp.MustCompile(`^test_(\w+) \(`), regexp.MustCompile(`(?:^|\.\.\. )(ok|FAIL|ERROR)$`)
	current := ""
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n")
		if m := start.FindStringSubmatch(line); m != nil {
			current = m[1]
		}
		if m := end.FindStringSubmatch(line); m != nil && current != "" {
			results[current], current = m[1], ""
		}
	}
	passed := 0
	for _, name := range slices.Sorted(maps.Keys(results)) {
		reason := ""
		for _, n := range notForUs {
			if regexp.MustCompile("^(" + n.cases + ")$").MatchString(name) {
				reason = n.reason
			}
		}
		switch ok := results[name] == "ok"; {
		case ok && reason != "":
			t.Errorf("%s passes, though it wants %s", name, reason)
		case !ok && reason == "":
			_, detail, _ := strings.Cut(string(out), ": test_"+name+" ")
			t.Errorf("%s: %s\n%.1500s", name, results[name], detail)
		case ok:
			passed++
		}
	}
	if len(results) != 194 {
		t.Errorf("%d cases ran, want 194\n%.3000s", len(results), out)
	}
	t.Logf("%d of %d pass", passed, len(results))
}

// Samba's smbtorture (samba-testsuite 4.17): the management interface and the endpoint mapper at each level and in either byte order.
func TestSmbtorture(t *testing.T) {
	name, err := exec.LookPath("smbtorture")
	if err != nil {
		absent(t, "smbtorture of samba-testsuite")
	}
	rpcServer(t, nil)
	conf := sambaFolder(t)
	run := func(options, suite string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		binding := fmt.Sprintf("ncacn_ip_tcp:%s[135,%s]", sambaTarget, options)
		out, _ := exec.CommandContext(ctx, name, "-s", conf, binding, `-UHOST\bob%Casement-1`, suite).CombinedOutput()
		return string(out)
	}
	for _, options := range []string{"connect", "packet", "sign", "seal", "bigendian", "bigendian,seal", "ntlm,seal", "spnego,sign", "spnego,seal"} {
		t.Run(options, func(t *testing.T) {
			out := run(options, "rpc.mgmt")
			for _, want := range []string{"server is listening", "server refused to stop listening", "'host/HOST'", "e1af8308-5d1f-11c9-91a4-08002b14a0fa  version 0x00000003"} {
				if !strings.Contains(out, want) {
					t.Errorf("rpc.mgmt does not say %q\n%.3000s", want, out)
				}
			}
			// The other cases want to register endpoints from afar, which is refused, or a status for the last page that [MS-RPCE] 2.2.1.2.4 does not give.
			if out := run(options, "rpc.epmapper"); !strings.Contains(out, "success: epmapper.Map_simple") {
				t.Errorf("rpc.epmapper: %.3000s", out)
			}
		})
	}
}
