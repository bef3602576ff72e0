package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcerpc/epm"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// What a domain controller of Samba is made with.
const (
	controllerAddress  = "127.0.0.50"
	controllerPassword = "Casement-1pass"
)

// controller starts services of a new domain of Samba and gives the path of its smb.conf.
func controller(t *testing.T, services string) string {
	t.Helper()
	for _, name := range []string{"samba-tool", "samba"} {
		if _, err := exec.LookPath(name); err != nil {
			absent(t, name+" of Debian's samba")
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("a domain controller wants root")
	}
	dir := t.TempDir()
	provision := exec.Command("samba-tool", "domain", "provision", "--realm=DC.EXAMPLE", "--domain=DCDOM", "--server-role=dc", "--dns-backend=NONE",
		"--adminpass="+controllerPassword, "--targetdir="+dir, "--host-ip="+controllerAddress, "--option=interfaces="+controllerAddress+"/8",
		"--option=bind interfaces only=yes")
	if out, err := provision.CombinedOutput(); err != nil {
		t.Fatalf("provision: %v\n%.3000s", err, out)
	}
	config := filepath.Join(dir, "etc", "smb.conf")
	cmd := exec.Command("samba", "-s", config, "-i", "--no-process-group", "-M", "single", "--option=server services="+services)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	for range 300 {
		if nc, err := net.Dial("tcp", controllerAddress+":135"); err == nil {
			nc.Close()
			return config
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("samba does not listen")
	return ""
}

// challenge is NetrServerReqChallenge, [MS-NRPC] 3.5.4.4.1, with a name as long as one likes.
type challenge struct {
	computer string
	answer   []byte
	status   uint32
}

func (c *challenge) MarshalNDR(e *ndr.Encoder) {
	e.Pointer(true)
	e.ConformantWideString(`\\server`)
	e.ConformantWideString(c.computer)
	e.Raw([]byte("12345678"))
}

func (c *challenge) UnmarshalNDR(d *ndr.Decoder) {
	c.answer = d.Raw(8)
	c.status = d.Uint32()
}

// Our client speaks to Samba's RPC services (samba 4.17): the endpoint mapper, whose answers take several fragments, and Netlogon with requests in
// several fragments; without authentication, signed and sealed by NTLM and SPNEGO. Level Connect is left out: there Samba 4.17 answers nobody
// whose NTLM can sign, as Windows' can.
func TestSambaServer(t *testing.T) {
	controller(t, "rpc")
	for _, kind := range []dcerpc.AuthType{dcerpc.AuthNone, dcerpc.AuthNTLM, dcerpc.AuthSPNEGO} {
		for _, level := range []dcerpc.Level{dcerpc.LevelNone, dcerpc.LevelPacket, dcerpc.LevelIntegrity, dcerpc.LevelPrivacy} {
			if (kind == dcerpc.AuthNone) == (level == dcerpc.LevelNone) {
				t.Run(fmt.Sprintf("%v %v", kind, level), func(t *testing.T) { callSamba(t, kind, level, ntlmMechanism(controllerPassword)) })
			}
		}
	}
	t.Run("wrong password", func(t *testing.T) {
		c, sec := dialSamba(t, 135, dcerpc.AuthSPNEGO, dcerpc.LevelIntegrity, ntlmMechanism("wrong"))
		if _, err := c.Bind(t.Context(), epm.ID, sec); err == nil {
			t.Error("a wrong password is accepted")
		}
	})
}

// ntlmMechanism signs in to Samba as Administrator.
func ntlmMechanism(password string) spnego.InitiatorMechanism {
	return spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: `DCDOM\Administrator`, Password: password}})
	}}
}

func dialSamba(t *testing.T, port uint16, kind dcerpc.AuthType, level dcerpc.Level, m spnego.InitiatorMechanism) (*dcerpc.Conn, *dcerpc.Security) {
	t.Helper()
	c, err := dcerpc.Dial(t.Context(), "tcp", net.JoinHostPort(controllerAddress, fmt.Sprint(port)), dcerpc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	switch kind {
	case dcerpc.AuthNTLM, dcerpc.AuthKerberos:
		return c, c.NewSecurity(kind, level, m.New())
	case dcerpc.AuthSPNEGO:
		return c, c.NewSecurity(kind, level, spnego.NewInitiator(m))
	}
	return c, nil
}

func callSamba(t *testing.T, kind dcerpc.AuthType, level dcerpc.Level, m spnego.InitiatorMechanism) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, sec := dialSamba(t, 135, kind, level, m)
	b, err := c.Bind(ctx, epm.ID, sec)
	if err != nil {
		t.Fatal(err)
	}
	netlogon := dcerpc.Syntax("12345678-1234-abcd-ef00-01234567cffb", 1, 0)
	towers, err := epm.Map(ctx, b, netlogon, security.GUID{})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := epm.Lookup(ctx, b)
	if err != nil || len(entries) < 40 {
		t.Errorf("the endpoint map has %d entries: %v", len(entries), err)
	}
	c, sec = dialSamba(t, towers[0].Port(), kind, level, m)
	if b, err = c.Bind(ctx, netlogon, sec); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 3000, 20000} {
		x := challenge{computer: strings.Repeat("a", n)}
		if err := b.Call(ctx, 4, security.GUID{}, &x, &x); err != nil || len(x.answer) != 8 {
			t.Errorf("a request with a name of %d characters: %v", n, err)
		}
	}
	if err := b.Call(ctx, 777, security.GUID{}, nil, nil); !errors.Is(err, &dcerpc.Fault{Status: dcerpc.StatusOpRange}) {
		t.Errorf("operation 777: %v", err)
	}
	// The connection has outlived the fault, and another interface joins it.
	if b, err = c.Bind(ctx, dcerpc.MgmtID, sec); err != nil {
		t.Fatal(err)
	}
	if err := b.Call(ctx, 2, security.GUID{}, nil, nil); err != nil {
		t.Errorf("the management interface: %v", err)
	}
}
