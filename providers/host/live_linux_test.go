package host

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// lines splits the output of a program.
func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// The expected values come from the shell, awk(1), uname(1), date(1), getconf(1) and nproc(1).
func TestOperatingSystemAgainstOtherPrograms(t *testing.T) {
	memory := func(name string) string {
		return output(t, "awk", "$1==\""+name+":\" {print $2}", "/proc/meminfo")
	}
	zone, err := time.Parse("-0700", output(t, "date", "+%z"))
	if err != nil {
		t.Fatal(err)
	}
	_, offset := zone.Zone()
	p := New(Options{})
	i := only(t, p, "Win32_OperatingSystem", query{})
	swap := memory("SwapTotal")
	want := map[string]string{
		"Caption": output(t, "sh", "-c", ". /etc/os-release; echo \"$PRETTY_NAME\""), "Version": output(t, "sh", "-c", ". /etc/os-release; echo \"$VERSION_ID\""),
		"BuildNumber": output(t, "uname", "-r"), "CSName": output(t, "uname", "-n"), "OSType": "36",
		"OSArchitecture": output(t, "getconf", "LONG_BIT") + "-bit", "CurrentTimeZone": strconv.Itoa(offset / 60),
		"MaxNumberOfProcesses": output(t, "cat", "/proc/sys/kernel/pid_max"), "Status": "OK", "WindowsDirectory": "null",
	}
	if _, err := os.Stat("/sys/fs/cgroup/memory.max"); err != nil {
		want["TotalVisibleMemorySize"], want["SizeStoredInPagingFiles"] = memory("MemTotal"), swap
	}
	expect(t, i, want)
	boot, _ := i.Get("LastBootUpTime").DateTime()
	seconds, _ := strconv.ParseInt(output(t, "awk", "/^btime/ {print $2}", "/proc/stat"), 10, 64)
	if at, ok := boot.Time(); !ok || at.Unix() != seconds {
		t.Errorf("LastBootUpTime %v, want %v", boot, time.Unix(seconds, 0))
	}
	now, _ := i.Get("LocalDateTime").DateTime()
	if at, ok := now.Time(); !ok || time.Since(at).Abs() > time.Minute {
		t.Errorf("LocalDateTime %v", now)
	}
	if n := mustUint(i, "NumberOfProcesses"); n < 2 || int(n) > 2*len(lines(output(t, "ps", "-e"))) {
		t.Errorf("NumberOfProcesses %d", n)
	}
	c := only(t, p, "Win32_ComputerSystem", query{})
	total, _ := strconv.ParseUint(memory("MemTotal"), 10, 64)
	expect(t, c, map[string]string{
		"Name": output(t, "uname", "-n"), "TotalPhysicalMemory": strconv.FormatUint(total<<10, 10),
		"NumberOfLogicalProcessors": strconv.Itoa(strings.Count(output(t, "cat", "/proc/cpuinfo"), "\nprocessor") + 1),
	})
	cpus := all(t, p, "Win32_Processor", projected("Win32_Processor", "Name", "NumberOfLogicalProcessors", "Architecture", "AddressWidth"))
	if len(cpus) == 0 || uint64(len(cpus)) != mustUint(c, "NumberOfProcessors") {
		t.Fatalf("%d processors, Win32_ComputerSystem has %v", len(cpus), c.Get("NumberOfProcessors"))
	}
	expect(t, cpus[0], map[string]string{"AddressWidth": output(t, "getconf", "LONG_BIT"), "DeviceID": "CPU0", "LoadPercentage": "null"})
	if runtime.GOARCH == "amd64" {
		expect(t, cpus[0], map[string]string{"Architecture": "9", "Name": output(t, "awk", "-F: ", "/^model name/ {print $2; exit}", "/proc/cpuinfo")})
	}
}

// The expected values come from df(1).
func TestLogicalDisksAgainstDF(t *testing.T) {
	p := New(Options{})
	got := map[string]*cim.Instance{}
	for _, i := range all(t, p, "Win32_LogicalDisk", query{}) {
		got[i.Get("DeviceID").String()] = i
	}
	rows := lines(output(t, "df", "--block-size=1", "--output=size,avail,fstype,target"))[1:]
	listed := 0
	for _, row := range rows {
		f := strings.Fields(row)
		if len(f) != 4 || f[0] == "0" || f[0] == "-" {
			continue
		}
		if st, err := os.Stat(f[3]); err != nil || !st.IsDir() {
			continue // a file that is mounted over a file
		}
		listed++
		i := got[f[3]]
		if i == nil {
			t.Errorf("df lists %s, and it is no logical disk", row)
			continue
		}
		expect(t, i, map[string]string{"Size": f[0], "FileSystem": f[2], "Name": f[3]})
		free, _ := strconv.ParseInt(f[1], 10, 64)
		if d := int64(mustUint(i, "FreeSpace")) - free; d < -1<<30 || d > 1<<30 {
			t.Errorf("%s has %v free, df says %s", f[3], i.Get("FreeSpace"), f[1])
		}
	}
	if listed == 0 {
		t.Skip("df lists nothing")
	}
	for id, i := range got {
		one := only(t, p, "Win32_LogicalDisk", fixed(map[string]cim.Value{"DeviceID": cim.Str(id)}))
		expect(t, one, map[string]string{"Size": i.Get("Size").String()})
	}
}

// The expected values come from ip(8).
func TestNetworkAgainstIP(t *testing.T) {
	p := New(Options{})
	adapters, configurations := map[string]*cim.Instance{}, map[string]*cim.Instance{}
	for _, i := range all(t, p, "Win32_NetworkAdapter", query{}) {
		adapters[i.Get("Name").String()] = i
	}
	for _, i := range all(t, p, "Win32_NetworkAdapterConfiguration", query{}) {
		configurations[i.Get("Description").String()] = i
	}
	links := lines(output(t, "ip", "-o", "link"))
	if len(links) != len(adapters) || len(links) != len(configurations) {
		t.Fatalf("%d adapters and %d configurations, ip lists %d links", len(adapters), len(configurations), len(links))
	}
	for _, l := range links {
		index, rest, _ := strings.Cut(l, ": ")
		name, rest, _ := strings.Cut(rest, ": ")
		name, _, _ = strings.Cut(name, "@")
		mtu := strings.Fields(rest[strings.Index(rest, " mtu ")+5:])[0]
		a, c := adapters[name], configurations[name]
		if a == nil || c == nil {
			t.Errorf("ip lists %s", name)
			continue
		}
		expect(t, a, map[string]string{"DeviceID": index, "Index": index, "InterfaceIndex": index,
			"NetEnabled": strconv.FormatBool(strings.Contains(rest, ",UP") || strings.Contains(rest, "<UP"))})
		expect(t, c, map[string]string{"Index": index, "MTU": mtu})
		if _, after, ok := strings.Cut(rest, "link/ether "); ok {
			mac := strings.ToUpper(strings.Fields(after)[0])
			expect(t, a, map[string]string{"MACAddress": mac, "AdapterType": "Ethernet 802.3"})
			expect(t, c, map[string]string{"MACAddress": mac})
		}
		var addresses, lengths []string
		for _, family := range []string{"-4", "-6"} {
			for _, row := range lines(output(t, "ip", "-o", family, "addr", "show", "dev", name)) {
				address, length, _ := strings.Cut(strings.Fields(row)[3], "/")
				addresses, lengths = append(addresses, address), append(lengths, length)
			}
		}
		got := c.Get("IPAddress").Elems()
		if len(got) != len(addresses) || len(c.Get("IPSubnet").Elems()) != len(addresses) {
			t.Errorf("%s has %v, ip says %v", name, c.Get("IPAddress"), addresses)
			continue
		}
		for i := range addresses {
			if got[i].String() != addresses[i] {
				t.Errorf("%s has %v, ip says %v", name, c.Get("IPAddress"), addresses)
			}
			mask := c.Get("IPSubnet").Elems()[i].String()
			if strings.Contains(addresses[i], ":") && mask != lengths[i] {
				t.Errorf("%s has the prefix length %s, ip says %s", addresses[i], mask, lengths[i])
			}
			if lengths[i] == "24" && mask != "255.255.255.0" || lengths[i] == "8" && mask != "255.0.0.0" {
				t.Errorf("%s has the mask %s, ip says /%s", addresses[i], mask, lengths[i])
			}
		}
	}
	for _, r := range lines(output(t, "ip", "-4", "route", "show", "default")) {
		f := strings.Fields(r)
		if len(f) >= 5 && f[1] == "via" && f[3] == "dev" && !strings.Contains(configurations[f[4]].Get("DefaultIPGateway").String(), f[2]) {
			t.Errorf("%s has the gateways %v, ip says %s", f[4], configurations[f[4]].Get("DefaultIPGateway"), r)
		}
	}
}

// The expected values come from getent(1).
func TestAccountsAgainstGetent(t *testing.T) {
	p := New(Options{})
	users := all(t, p, "Win32_UserAccount", query{})
	rows := lines(output(t, "getent", "-s", "files", "passwd"))
	if len(users) != len(rows) {
		t.Fatalf("%d users, getent lists %d", len(users), len(rows))
	}
	host := output(t, "uname", "-n")
	for n, row := range rows {
		f := strings.Split(row, ":")
		expect(t, users[n], map[string]string{"Name": f[0], "SID": "S-1-22-1-" + f[2], "Domain": host, "Caption": host + `\` + f[0],
			"SIDType": "1", "LocalAccount": "true"})
	}
	groups := all(t, p, "Win32_Group", query{})
	rows = lines(output(t, "getent", "-s", "files", "group"))
	if len(groups) != len(rows) {
		t.Fatalf("%d groups, getent lists %d", len(groups), len(rows))
	}
	for n, row := range rows {
		f := strings.Split(row, ":")
		expect(t, groups[n], map[string]string{"Name": f[0], "SID": "S-1-22-2-" + f[2], "SIDType": "4"})
	}
	one := only(t, p, "Win32_UserAccount", fixed(map[string]cim.Value{"Name": cim.Str("ROOT")}))
	expect(t, one, map[string]string{"Name": "root", "SID": "S-1-22-1-0"})
}

// The expected values come from dpkg-query(1).
func TestSoftwareAgainstDpkgQuery(t *testing.T) {
	rows := lines(output(t, "dpkg-query", "-W", "-f", "${db:Status-Status}\t${Package}\t${Architecture}\t${Version}\t${Maintainer}\n"))
	want := map[string][]string{}
	for _, r := range rows {
		f := strings.Split(r, "\t")
		if len(f) == 5 && f[0] == "installed" {
			want[f[1]+":"+f[2]] = f
		}
	}
	got := all(t, New(Options{}), "Win32_Product", query{})
	if len(got) != len(want) {
		t.Errorf("%d packages, dpkg-query lists %d", len(got), len(want))
	}
	for _, i := range got {
		f := want[i.Get("IdentifyingNumber").String()]
		if f == nil {
			t.Errorf("dpkg-query does not list %v", i.Get("IdentifyingNumber"))
			continue
		}
		expect(t, i, map[string]string{"Name": f[1], "Version": f[3], "Vendor": f[4], "InstallState": "5"})
		if i.Get("InstallDate2").IsNull() || len(i.Get("InstallDate").String()) != 8 {
			t.Errorf("%s was installed at %v, %v", f[1], i.Get("InstallDate"), i.Get("InstallDate2"))
		}
	}
}
