package nft

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/casementhq/casement/firewall"
	"golang.org/x/sys/unix"
)

// alone gives this goroutine a network of its own.
func alone(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a packet filter of its own wants root")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("there is no nft to read it back")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("a network of its own is not to be had: %v", err)
	}
}

func nft(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("nft", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %q: %v: %s", args, err, out)
	}
	return string(out)
}

var blanks = regexp.MustCompile(`[\t ]+`)

// TestReadBack has the nft program read what was set: other tables stay as they are, and ours has what was meant.
func TestReadBack(t *testing.T) {
	alone(t)
	nft(t, "add table inet foreign")
	nft(t, "add chain inet foreign input { type filter hook input priority 0; policy drop; }")
	nft(t, "add rule inet foreign input tcp dport 5985 accept")
	nft(t, "add table ip casement") // of another family, and so not ours
	foreign := nft(t, "list", "ruleset")

	addr := netip.MustParseAddr
	ports := []firewall.KernelPort{
		{Port: 135, Rules: []firewall.KernelRule{{From: addr("192.0.2.9"), To: addr("192.0.2.9")}, {Accept: true, From: addr("192.0.2.0"), To: addr("192.0.2.200")},
			{Accept: true, From: addr("2001:db8::"), To: addr("2001:db8::ffff")}, {}}},
		{Port: 5985, Address: addr("192.0.2.1"), Rules: []firewall.KernelRule{{Accept: true}}},
	}
	if err := Set(ports); errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		t.Skipf("the kernel has no nftables: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	const want = `table inet casement {
 chain input {
 type filter hook input priority filter; policy accept;
 iiftype loopback accept
 tcp dport 135 tcp flags syn / fin,syn,rst,ack jump port135-0
 tcp dport 5985 tcp flags syn / fin,syn,rst,ack ip daddr 192.0.2.1 jump port5985-1
 }

 chain port135-0 {
 ip saddr 192.0.2.9 drop
 ip saddr 192.0.2.0-192.0.2.200 accept
 ip6 saddr 2001:db8::-2001:db8::ffff accept
 drop
 }

 chain port5985-1 {
 accept
 }
}
`
	if got := strings.ReplaceAll(blanks.ReplaceAllString(nft(t, "list", "table", "inet", "casement"), " "), "meta iiftype", "iiftype"); got != want { // versions differ
		t.Errorf("nft reads\n%s\nwant\n%s", got, want)
	}
	if err := Set(ports[1:]); err != nil { // in the place of the other
		t.Fatal(err)
	}
	if got := nft(t, "list", "table", "inet", "casement"); strings.Contains(got, "135") || !strings.Contains(got, "5985") {
		t.Errorf("after a change: %s", got)
	}
	if err := Set([]firewall.KernelPort{{Port: 1, Rules: []firewall.KernelRule{{From: addr("192.0.2.9"), To: addr("::1")}}}}); err == nil {
		t.Error("half a range of IPv4 was set")
	}
	if got := nft(t, "list", "table", "inet", "casement"); !strings.Contains(got, "5985") {
		t.Errorf("what failed has changed something: %s", got)
	}
	for range 2 { // the second time there is none
		if err := Set(nil); err != nil {
			t.Fatal(err)
		}
		if got := nft(t, "list", "ruleset"); got != foreign {
			t.Errorf("afterwards\n%s\nbefore\n%s", got, foreign)
		}
	}
}

// The most rules that are permitted fit into one transaction.
func TestManyRules(t *testing.T) {
	alone(t)
	rules := make([]firewall.KernelRule, 512)
	for i := range rules {
		rules[i] = firewall.KernelRule{From: netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)}),
			To: netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 1, 15: byte(i)})}
	}
	if err := Set([]firewall.KernelPort{{Port: 135, Rules: rules}}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(nft(t, "list", "table", "inet", "casement"), "drop"); n != len(rules) {
		t.Errorf("%d rules, want %d", n, len(rules))
	}
}
