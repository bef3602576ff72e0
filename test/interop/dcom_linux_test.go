package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dcomService gives a service of WMI over DCOM at port 135, where most clients insist on it.
func dcomService(t *testing.T) *service {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: peers run against the real binary")
	}
	if os.Geteuid() != 0 {
		t.Skip("a network of its own and port 135 want root")
	}
	if out, err := exec.Command("unshare", "-n", "true").CombinedOutput(); err != nil {
		absent(t, "a network of its own is not to be had: "+strings.TrimSpace(string(out)))
	}
	s := alone.start(t)
	if s.dcom != "127.0.0.1:135" {
		t.Fatalf("WMI over DCOM is at %q", s.dcom)
	}
	return s
}

// impacket 0.13.1: the endpoint mapper, rpcmap, ServerAlive2, and WMI at integrity and privacy: queries over 20 classes, events, methods,
// writing. See [MS-DCOM] 3.2.4, [MS-WMI] 3.2.
func TestImpacket(t *testing.T) {
	s := dcomService(t)
	runPeer(t, s, 3*time.Minute, python(t, "impacket"), "impacket_peer.py")
}

// go-msrpc v1.5.2: the flow of its wmic, smart enumeration, NDR64, RemoteCreateInstance, call results and what else it has stubs of. See
// [MS-WMI] 3.1.4.
func TestGoMSRPC(t *testing.T) {
	s := dcomService(t)
	binary := filepath.Join(t.TempDir(), "gomsrpc")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "gomsrpc"
	if out, err := build.CombinedOutput(); err != nil {
		absent(t, "go-msrpc does not build here: "+strings.TrimSpace(string(out)))
	}
	runPeer(t, s, 2*time.Minute, binary)
}
