package host

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/host/internal/nl"
)

// The expected values come from ip(8).
func TestRoutesAgainstIP(t *testing.T) {
	index := map[string]string{}
	for _, l := range lines(output(t, "ip", "-o", "link")) {
		number, rest, _ := strings.Cut(l, ": ")
		name, _, _ := strings.Cut(rest, ": ")
		name, _, _ = strings.Cut(name, "@")
		index[name] = number
	}
	rows := lines(output(t, "ip", "-4", "-N", "route", "show", "table", "main"))
	if len(rows) == 0 {
		t.Skip("ip lists no routes")
	}
	routes := all(t, New(Options{}), "Win32_IP4RouteTable", query{})
	if len(routes) != len(rows) {
		t.Fatalf("%d routes, ip lists %d", len(routes), len(rows))
	}
	for n, row := range rows {
		f := strings.Fields(row)
		after := func(word string) string {
			for i := range f[:len(f)-1] {
				if f[i] == word {
					return f[i+1]
				}
			}
			return ""
		}
		want := map[string]string{"InterfaceIndex": index[after("dev")], "NextHop": "0.0.0.0", "Type": "3", "Metric1": "0", "Metric2": "-1", "Age": "null"}
		if via := after("via"); via != "" {
			want["NextHop"], want["Type"] = via, "4"
		}
		if m := after("metric"); m != "" {
			want["Metric1"] = m
		}
		if after("proto") == "2" { // kernel
			want["Protocol"] = "2"
		}
		destination := f[0]
		if destination == "default" {
			destination = "0.0.0.0/0"
		}
		if prefix, err := netip.ParsePrefix(destination); err == nil {
			want["Destination"] = prefix.Addr().String()
			want["Mask"] = map[int]string{0: "0.0.0.0", 8: "255.0.0.0", 16: "255.255.0.0", 24: "255.255.255.0"}[prefix.Bits()]
			if want["Mask"] == "" {
				delete(want, "Mask")
			}
		}
		expect(t, routes[n], want)
	}
}

func TestRoutesOfAFixture(t *testing.T) {
	p := New(Options{Root: root(t, nil)})
	p.system.routes = func() ([]nl.Route, error) {
		return []nl.Route{
			{LinkIndex: 2, Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.1"), Metric: 100, Protocol: 16, Type: 1},
			{LinkIndex: 3, Destination: netip.MustParsePrefix("198.51.100.128/25"), Protocol: 2, Type: 1},
			{Destination: netip.MustParsePrefix("203.0.113.7/32"), Protocol: 188, Type: 7},
		}, nil
	}
	out := all(t, p, "Win32_IP4RouteTable", query{})
	expect(t, out[0], map[string]string{"Destination": "0.0.0.0", "Mask": "0.0.0.0", "NextHop": "192.0.2.1", "Metric1": "100", "Protocol": "3", "Type": "4",
		"Description": "0.0.0.0 - 0.0.0.0 - 192.0.2.1"})
	expect(t, out[1], map[string]string{"Destination": "198.51.100.128", "Mask": "255.255.255.128", "NextHop": "0.0.0.0", "Protocol": "2", "Type": "3"})
	expect(t, out[2], map[string]string{"Mask": "255.255.255.255", "Protocol": "13", "Type": "2", "InterfaceIndex": "0"})
	expect(t, only(t, p, "Win32_IP4RouteTable", fixed(map[string]cim.Value{"InterfaceIndex": cim.S32(3)})), map[string]string{"InterfaceIndex": "3"})
}

// The expected values come from ip(8).
func TestNetAdaptersAgainstIP(t *testing.T) {
	adapters := map[string]*cim.Instance{}
	for _, i := range all(t, New(Options{}), "MSFT_NetAdapter", query{}) {
		adapters[i.Get("InterfaceName").String()] = i
	}
	links := lines(output(t, "ip", "-o", "link"))
	if len(links) != len(adapters) {
		t.Fatalf("%d adapters, ip lists %d links", len(adapters), len(links))
	}
	for _, l := range links {
		number, rest, _ := strings.Cut(l, ": ")
		name, rest, _ := strings.Cut(rest, ": ")
		name, _, _ = strings.Cut(name, "@")
		i := adapters[name]
		if i == nil {
			t.Errorf("ip lists %s", name)
			continue
		}
		after := func(word string) string { return strings.Fields(rest[strings.Index(rest, word)+len(word):])[0] }
		states := map[string]string{"UP": "1", "DOWN": "2", "UNKNOWN": "4", "DORMANT": "5", "NOTPRESENT": "6", "LOWERLAYERDOWN": "7"}
		want := map[string]string{"InterfaceIndex": number, "Name": name, "MtuSize": after(" mtu "), "ActiveMaximumTransmissionUnit": after(" mtu "),
			"InterfaceOperationalStatus": states[after(" state ")], "Hidden": strconv.FormatBool(strings.Contains(rest, "LOOPBACK")),
			"PromiscuousMode": strconv.FormatBool(strings.Contains(rest, "PROMISC"))}
		if _, mac, ok := strings.Cut(rest, "link/ether "); ok {
			want["NetworkAddresses"] = "{" + strings.ToUpper(strings.ReplaceAll(strings.Fields(mac)[0], ":", "")) + "}"
		}
		expect(t, i, want)
	}
}

func TestNetAdapterOfAFixture(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{
		"etc/machine-id": "00112233445566778899aabbccddeeff\n", "proc/sys/kernel/hostname": "fox\n",
		"sys/class/net/eth0/speed": "10000\n", "sys/class/net/eth0/duplex": "full\n", "sys/class/net/eth0/flags": "0x1103\n", "sys/class/net/eth0/addr_assign_type": "0\n",
		"sys/class/net/eth0/ifindex": "2\n", "sys/class/net/eth0/upper_br0": "-> ../br0", "sys/class/net/eth0/device": "-> ../../../devices/pci0000:00/0000:00:19.0",
		"sys/devices/pci0000:00/0000:00:19.0/driver": "-> ../../../bus/pci/drivers/ixgbe", "sys/devices/pci0000:00/0000:00:19.0/power/wakeup": "enabled\n",
		"sys/bus/pci/drivers/ixgbe/": "", "sys/module/ixgbe/version": "5.1.0\n", "sys/class/net/br0/ifindex": "7\n", "sys/class/net/br0/lower_eth0": "-> ../eth0",
	})})
	p.system.links = func() ([]nl.Link, error) {
		return []nl.Link{{Index: 2, Name: "eth0", MAC: "00:11:22:aa:bb:cc", Kind: "device", Type: "ether", MTU: 9000, Up: true, Running: true, OperState: "up", Alias: "uplink"},
			{Index: 7, Name: "br0", Kind: "bridge", Type: "ether", MTU: 1500, OperState: "down"}}, nil
	}
	out := all(t, p, "MSFT_NetAdapter", query{})
	expect(t, out[0], map[string]string{"Name": "uplink", "InterfaceName": "eth0", "PermanentAddress": "001122AABBCC", "NetworkAddresses": "{001122AABBCC}",
		"Speed": "10000000000", "TransmitLinkSpeed": "10000000000", "FullDuplex": "true", "MediaDuplexState": "2", "PromiscuousMode": "true", "MtuSize": "9000",
		"HigherLayerInterfaceIndices": "{7}", "LowerLayerInterfaceIndices": "null", "DriverName": "ixgbe", "DriverVersionString": "5.1.0", "DeviceWakeUpEnable": "true",
		"InterfaceType": "6", "MediaConnectState": "1", "Status": "OK", "Virtual": "false", "ConnectorPresent": "true", "SystemName": "fox", "NetLuid": "null"})
	expect(t, out[1], map[string]string{"Virtual": "true", "LowerLayerInterfaceIndices": "{2}", "State": "3", "InterfaceAdminStatus": "2", "MediaConnectState": "2",
		"Status": "null", "Speed": "null", "FullDuplex": "null", "MediaDuplexState": "0"})
	if out[0].Get("DeviceID").String() != out[0].Get("InterfaceGuid").String() || len(out[0].Get("DeviceID").String()) != 38 {
		t.Errorf("DeviceID %v", out[0].Get("DeviceID"))
	}
}

func TestPingNeedsAnAddress(t *testing.T) {
	p := New(Options{})
	list := func(values map[string]cim.Value) error {
		return p.list(context.Background(), classNamed("Win32_PingStatus"), fixed(values), func(*cim.Instance) error {
			t.Error("an instance")
			return nil
		})
	}
	for _, c := range []struct {
		values map[string]cim.Value
		want   cim.Status
	}{
		{nil, cim.ErrProviderNotCapable},
		{map[string]cim.Value{"Address": cim.Str("")}, cim.ErrProviderNotCapable},
		{map[string]cim.Value{"Timeout": cim.U32(10)}, cim.ErrProviderNotCapable},
		{map[string]cim.Value{"Address": cim.Str("127.0.0.1"), "RecordRoute": cim.U32(1)}, cim.ErrProviderNotCapable},
		{map[string]cim.Value{"Address": cim.Str("127.0.0.1"), "BufferSize": cim.U32(65501)}, cim.ErrInvalidParameter},
		{map[string]cim.Value{"Address": cim.Str("127.0.0.1"), "Timeout": cim.U32(60001)}, cim.ErrInvalidParameter},
		{map[string]cim.Value{"Address": cim.Str("127.0.0.1"), "TimeToLive": cim.U32(0)}, cim.ErrInvalidParameter},
	} {
		if err := list(c.values); !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.values, err, c.want)
		}
	}
	elsewhere := New(Options{Root: t.TempDir()})
	err := elsewhere.list(context.Background(), classNamed("Win32_PingStatus"), fixed(map[string]cim.Value{"Address": cim.Str("127.0.0.1")}), nil)
	if !errors.Is(err, cim.ErrProviderNotCapable) {
		t.Errorf("another root: %v", err)
	}
}

// networkScript makes a network with a router in a namespace of its own: it refuses 10.10.0.0/16 and
// takes 10.11.0.0/16. Nobody else is on the link, and what this namespace has no route to is unreachable.
const networkScript = `set -e
router=$1
echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
ip link set lo up
ip route add unreachable 203.0.113.1
ip link add v0 type veth peer name v1 netns $router
ip addr add 10.9.0.1/24 dev v0
ip link set v0 up
ip route add 10.10.0.0/16 via 10.9.0.2
ip route add 10.11.0.0/16 via 10.9.0.2
nsenter -t $router -n sh -ec 'ip addr add 10.9.0.2/24 dev v1; ip link set v1 up; ip link set lo up
	echo 1 >/proc/sys/net/ipv4/ip_forward; ip route add unreachable 10.10.0.0/16; ip route add 10.11.0.0/16 dev v1'
`

// TestPing runs TestInsideNetwork in a network of its own.
func TestPing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command("unshare", "-n", os.Args[0], "-test.run=^TestInsideNetwork$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "--- SKIP: TestInsideNetwork") || errors.Is(err, exec.ErrNotFound) {
		t.Skip("no networks of our own here: ", string(out), err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideNetwork") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestInsideNetwork(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.Skip("runs in a network of its own, from TestPing")
	}
	router := exec.Command("unshare", "-n", "sleep", "60")
	if err := router.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = router.Process.Kill(); _ = router.Wait() })
	mine, _ := os.Readlink("/proc/self/ns/net")
	for range 100 { // until it has its namespace
		if its, err := os.Readlink("/proc/" + strconv.Itoa(router.Process.Pid) + "/ns/net"); err == nil && its != mine {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if out, err := exec.Command("sh", "-c", networkScript, "sh", strconv.Itoa(router.Process.Pid)).CombinedOutput(); err != nil {
		t.Skipf("the network cannot be made: %v %s", err, out)
	}
	p := New(Options{})
	for _, c := range []struct {
		name  string
		query map[string]cim.Value
		want  map[string]string
	}{
		{"127.0.0.1", nil, map[string]string{"StatusCode": "0", "ReplySize": "32", "ReplyInconsistency": "false", "ResponseTimeToLive": "64", "ProtocolAddress": "127.0.0.1",
			"PrimaryAddressResolutionStatus": "0", "BufferSize": "32", "Timeout": "1000", "TimeToLive": "80", "ResponseTime": "0"}},
		{"::1", nil, map[string]string{"StatusCode": "0", "ReplySize": "32", "ResponseTimeToLive": "64", "ProtocolAddress": "::1"}},
		{"10.9.0.2", map[string]cim.Value{"BufferSize": cim.U32(5000)}, map[string]string{"StatusCode": "0", "ReplySize": "5000", "BufferSize": "5000"}},
		{"10.9.0.2", map[string]cim.Value{"BufferSize": cim.U32(5000), "NoFragmentation": cim.Bool(true)}, map[string]string{"StatusCode": "11009", "ResponseTime": "null"}},
		{"10.9.0.2", map[string]cim.Value{"BufferSize": cim.U32(0)}, map[string]string{"StatusCode": "0", "ReplySize": "0"}},
		{"10.9.0.77", map[string]cim.Value{"Timeout": cim.U32(150)}, map[string]string{"StatusCode": "11010", "ResponseTime": "null", "ReplySize": "null", "Timeout": "150"}},
		{"203.0.113.1", nil, map[string]string{"StatusCode": "11003", "ResponseTime": "null"}},
		{"192.0.2.1", nil, map[string]string{"StatusCode": "11002", "ResponseTime": "null"}},
		{"10.10.0.1", nil, map[string]string{"StatusCode": "11003", "ResponseTime": "null"}},                                       // the router says so
		{"10.11.0.1", map[string]cim.Value{"TimeToLive": cim.U32(1)}, map[string]string{"StatusCode": "11013", "TimeToLive": "1"}}, // expires there
		{"no.such.host.invalid", nil, map[string]string{"StatusCode": "null", "PrimaryAddressResolutionStatus": "11001", "ResponseTime": "null", "ProtocolAddress": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := map[string]cim.Value{"Address": cim.Str(c.name)}
			for k, v := range c.query {
				values[k] = v
			}
			expect(t, only(t, p, "Win32_PingStatus", fixed(values)), c.want)
		})
	}
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := ping(ctx, pingOptions{address: netip.MustParseAddr("10.9.0.77"), ttl: 80, timeout: 30 * time.Second})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
	t.Run("not permitted", func(t *testing.T) {
		if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("1 0"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := ping(context.Background(), pingOptions{address: netip.MustParseAddr("127.0.0.1"), ttl: 80}); !errors.Is(err, cim.ErrAccessDenied) {
			t.Error(err)
		}
	})
}

// A query through the object manager reaches the provider with its address; one without fails with 0x80041024.
func TestPingThroughTheManager(t *testing.T) {
	p := New(Options{})
	var asked []string
	p.system.ping = func(_ context.Context, o pingOptions) (pingReply, error) {
		asked = append(asked, o.address.String())
		return pingReply{status: pingSuccess, time: 12 * time.Millisecond, ttl: 60, payload: o.payload}, nil
	}
	s := session(t, p)
	out := ask(t, s, "SELECT * FROM Win32_PingStatus WHERE Address = '192.0.2.1' AND Timeout = 500 AND BufferSize = 100")
	if len(out) != 1 {
		t.Fatalf("%v", out)
	}
	expect(t, out[0], map[string]string{"StatusCode": "0", "ResponseTime": "12", "ResponseTimeToLive": "60", "ReplySize": "100", "Timeout": "500"})
	path, whole := out[0].Path()
	again, err := s.Get(t.Context(), path, cim.GetOptions{})
	if err != nil || !whole {
		t.Fatalf("%s: %v", path, err)
	}
	expect(t, again, map[string]string{"StatusCode": "0", "ReplySize": "100", "Timeout": "500"})
	asked = asked[1:]
	for _, wql := range []string{"SELECT * FROM Win32_PingStatus", "SELECT * FROM Win32_PingStatus WHERE StatusCode = 0", "SELECT * FROM Win32_PingStatus WHERE Address LIKE '192.%'"} {
		if out, err := answer(t.Context(), s, wql); !errors.Is(err, cim.ErrProviderNotCapable) {
			t.Errorf("%s: %v, %v", wql, out, err)
		}
	}
	if len(asked) != 1 || asked[0] != "192.0.2.1" {
		t.Errorf("asked %v", asked)
	}
}

// The classes of other namespaces are there and nowhere else.
func TestOtherNamespaces(t *testing.T) {
	m := cimom.New(cimom.Options{Server: "BOX"})
	defer m.Close()
	register(t, m, New(Options{}))
	count := func(namespace, class string) (int, error) {
		s, err := m.Open(t.Context(), administrator(), namespace, cim.OpenOptions{})
		if err != nil {
			return 0, err
		}
		defer s.Close()
		e, err := s.Enumerate(t.Context(), class, cim.EnumerateOptions{})
		if err != nil {
			return 0, err
		}
		out, err := cim.Collect(t.Context(), e)
		return len(out), err
	}
	links := len(lines(output(t, "ip", "-o", "link")))
	for _, class := range []string{"MSFT_NetAdapter", "CIM_NetworkPort", "CIM_LogicalDevice"} {
		if n, err := count(`root\standardcimv2`, class); n != links || err != nil {
			t.Errorf("%d instances of %s, ip lists %d links: %v", n, class, links, err)
		}
	}
	if _, err := count(`root\wmi`, "MSAcpi_ThermalZoneTemperature"); err != nil {
		t.Error(err)
	}
	for _, class := range []string{"MSFT_NetAdapter", "MSAcpi_ThermalZoneTemperature"} {
		if _, err := count(`root\cimv2`, class); !errors.Is(err, cim.ErrInvalidClass) {
			t.Errorf("%s in root\\cimv2: %v", class, err)
		}
	}
}
