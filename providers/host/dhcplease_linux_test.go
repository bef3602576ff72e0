package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/host/internal/nl"
)

// configuration lists the one interface of a tree of files.
func configuration(t *testing.T, dir string) *cim.Instance {
	t.Helper()
	p := New(Options{Root: dir})
	p.system = system{
		links: func() ([]nl.Link, error) { return []nl.Link{{Index: 2, Name: "eth0", Up: true}}, nil },
		addresses: func(int) ([]nl.Address, error) {
			return []nl.Address{{LinkIndex: 2, Prefix: netip.MustParsePrefix("192.0.2.7/24")}}, nil
		},
		gateways: func() ([]nl.Gateway, error) { return nil, nil },
	}
	return only(t, p, "Win32_NetworkAdapterConfiguration", query{})
}

func TestLeases(t *testing.T) {
	const device = "[device]\nmanaged=full\nconnection-uuid=5f1c\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  map[string]string
	}{
		{"nobody to ask", nil, map[string]string{"DHCPEnabled": "null", "DHCPServer": "null", "DHCPLeaseObtained": "null"}},
		{"NetworkManager with a lease", map[string]string{"run/NetworkManager/devices/2": device, "var/lib/NetworkManager/internal-5f1c-eth0.lease": "# private\nADDRESS=192.0.2.7\n"},
			map[string]string{"DHCPEnabled": "true", "DHCPServer": "null", "DHCPLeaseExpires": "null"}},
		{"NetworkManager with an old lease", map[string]string{"run/NetworkManager/devices/2": device, "var/lib/NetworkManager/internal-5f1c-eth0.lease": "ADDRESS=192.0.2.99\n"},
			map[string]string{"DHCPEnabled": "false"}},
		{"NetworkManager without", map[string]string{"run/NetworkManager/devices/2": device}, map[string]string{"DHCPEnabled": "false"}},
		{"not managed", map[string]string{"run/NetworkManager/devices/2": "[device]\nmanaged=false\n"}, map[string]string{"DHCPEnabled": "null"}},
		{"dhclient", map[string]string{"var/lib/dhcp/dhclient.eth0.leases": "lease {\n  option dhcp-server-identifier 192.0.2.250;\n  expire 1 2026/11/16 10:00:00;\n}\n" +
			"lease {\n  interface \"eth0\";\n  option dhcp-server-identifier 192.0.2.1;\n  expire 6 2026/11/21 18:30:05;\n}\n"},
			map[string]string{"DHCPEnabled": "true", "DHCPServer": "192.0.2.1", "DHCPLeaseExpires": "20261121183005.000000+000", "DHCPLeaseObtained": "null"}},
		{"dhclient for ever", map[string]string{"var/lib/dhcp/dhclient.eth0.leases": "lease {\n  expire never;\n}\n"}, map[string]string{"DHCPEnabled": "true", "DHCPLeaseExpires": "null"}},
		{"path discovery", map[string]string{"proc/sys/net/ipv4/ip_no_pmtu_disc": "0\n", "proc/sys/net/ipv4/tcp_mtu_probing": "1\n"},
			map[string]string{"PMTUDiscoveryEnabled": "true", "PMTUBHDetectEnabled": "true"}},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, configuration(t, root(t, c.files)), c.want) })
	}
	dir := root(t, map[string]string{"run/systemd/netif/links/2": "ADMIN_STATE=configured\n",
		"run/systemd/netif/leases/2": "ADDRESS=192.0.2.7\nSERVER_ADDRESS=192.0.2.1\nT1=1800\nLIFETIME=3600\n"})
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "run/systemd/netif/leases/2"), at, at); err != nil {
		t.Fatal(err)
	}
	expect(t, configuration(t, dir), map[string]string{"DHCPEnabled": "true", "DHCPServer": "192.0.2.1", "DHCPLeaseObtained": "20261121120000.000000+000",
		"DHCPLeaseExpires": "20261121130000.000000+000"})
}

func TestBIOSOfSMBIOS(t *testing.T) {
	b := &smbiosBuilder{}
	b.add(0, 0x18, map[int]any{0x0A: uint64(1<<7 | 1<<11 | 1<<12 | 1<<16), 0x12: 0x03, 0x13: 0x0D})
	b.add(13, 0x16, map[int]any{0x04: 2, 0x15: 2}, "en|US|iso8859-1", "fr|FR|iso8859-1")
	b.add(127, 4, nil)
	p := New(Options{Root: root(t, map[string]string{"sys/firmware/dmi/tables/DMI": string(b.out)})})
	// bit 7 PCI, 11 upgradeable, 12 shadowing, 16 selectable boot; of the extension ACPI 32 and USB legacy 33
	expect(t, only(t, p, "Win32_BIOS", query{}), map[string]string{"BiosCharacteristics": "{7, 11, 12, 16, 32, 33}", "CurrentLanguage": "fr|FR|iso8859-1",
		"InstallableLanguages": "2", "ListOfLanguages": "{en|US|iso8859-1, fr|FR|iso8859-1}"})
	none := New(Options{Root: root(t, nil)})
	expect(t, only(t, none, "Win32_BIOS", query{}), map[string]string{"BiosCharacteristics": "null", "CurrentLanguage": "null"})
}
