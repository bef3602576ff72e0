package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/casementhq/casement/internal/adtest"
)

// onJoined gives the service of a machine that has joined the shared domain, without a keytab: Samba's winbind there verifies NTLM, and the name
// service switch knows the domain's users. The domain's group Operators is in its Administrators.
func onJoined(t *testing.T) *member {
	t.Helper()
	d := adtest.Shared(t)
	machine := d.Joined(t)
	enrolled.once.Do(func() {
		enrolled.enter = machine.Enter()
		enrolled.prepare = resolverAt(fmt.Sprintf("127.62.%d.62", os.Getpid()%250+1))
		enrolled.err = enrolled.launch()
	})
	if enrolled.err != nil {
		t.Fatal(enrolled.err)
	}
	m := &member{enrolled, d, "127.0.0.1"}
	m.letIn(t)
	return m
}

// pypsrp 0.9.1, pywinrm 0.5.0 and impacket 0.13.1 with NTLM of accounts of a domain, which the winbind of a joined machine verifies: sealed over HTTP,
// with channel bindings over HTTPS, and WMI over DCOM. A wrong password and a disabled account are refused. Commands run as the Unix user that the name
// service switch has for the account, which nobody mapped, once root permitted that for the domain.
func TestPeersDomainNTLM(t *testing.T) {
	m := onJoined(t)
	interpreter := python(t, "pypsrp, winrm, impacket")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := m.command(ctx, interpreter, "domain_ntlm_peer.py")
	cmd.Env = append(cmd.Env, "CASEMENT_PROGRAM="+binary, "CASEMENT_STATE="+filepath.Join(m.dir, "state"), "CASEMENT_DOMAIN_PASSWORD="+adtest.Password, "CASEMENT_DOMAIN="+adtest.NetBIOS,
		"CASEMENT_UID="+strconv.Itoa(adtest.FirstUID+int(m.domain.SIDOf(adtest.Alice).RID())),
		"CASEMENT_GROUP="+strconv.Itoa(adtest.FirstUID+int(m.domain.SIDOf(adtest.Operators).RID())))
	t.Cleanup(func() { m.tool(t, "user", "map", adtest.NetBIOS+`\*`) })
	runPeerCommand(t, cmd)
}
