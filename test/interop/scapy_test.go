package interop

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcerpc/epm"
	"github.com/casementhq/casement/security"
)

// scapy 2.6.1, a service that takes NDR64 alone, which Samba's do not know: our client agrees to it and understands an answer with a tower in it. See
// [MS-RPCE] 2.2.5; issue 4, 7.6.
func TestScapyNDR64(t *testing.T) {
	cmd := exec.Command(python(t, "scapy"), "scapy_peer.py")
	var stderr strings.Builder
	cmd.Stderr, cmd.Env = &stderr, append(os.Environ(), "HOME="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(stderr.String())
		}
	}()
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("scapy did not start: %v\n%s", err, stderr.String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := dcerpc.Dial(ctx, "tcp", net.JoinHostPort("127.0.0.1", strings.TrimSpace(port)), dcerpc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := c.Bind(ctx, epm.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.Transfer() != dcerpc.NDR64 {
		t.Errorf("stubs are %v", b.Transfer())
	}
	exporter := dcerpc.Syntax("99fcfec4-5260-101b-bbcb-00aa0021347a", 0, 0)
	towers, err := epm.Map(ctx, b, exporter, security.GUID{})
	if err != nil || len(towers) != 1 || towers[0].Endpoint != "49999" || towers[0].Interface != exporter {
		t.Errorf("%+v, %v", towers, err)
	}
}
