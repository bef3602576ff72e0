package host

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// The expected values come from lsblk(8). What it calls a disk and has no hardware behind it (zram) is no drive.
func TestDiskDrivesAgainstLsblk(t *testing.T) {
	p := New(Options{})
	got := map[string]*cim.Instance{}
	for _, i := range all(t, p, "Win32_DiskDrive", query{}) {
		got[i.Get("DeviceID").String()] = i
	}
	var out struct {
		Devices []struct {
			Name   string `json:"name"`
			Type   string `json:"type"`
			Size   uint64 `json:"size"`
			Sector uint64 `json:"log-sec"`
			Serial string `json:"serial"`
			Model  string `json:"model"`
			Parts  []struct {
				Type string `json:"type"`
			} `json:"children"`
		} `json:"blockdevices"`
	}
	text := output(t, "lsblk", "--json", "--bytes", "-o", "NAME,TYPE,SIZE,LOG-SEC,SERIAL,MODEL")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	disks := 0
	for _, d := range out.Devices {
		if _, err := os.Stat("/sys/block/" + d.Name + "/device"); d.Type != "disk" || err != nil {
			continue
		}
		disks++
		i := got["/dev/"+d.Name]
		if i == nil {
			t.Errorf("lsblk lists %s, and it is no drive", d.Name)
			continue
		}
		parts := 0
		for _, c := range d.Parts {
			if c.Type == "part" {
				parts++
			}
		}
		expect(t, i, map[string]string{"Size": strconv.FormatUint(d.Size, 10), "BytesPerSector": strconv.FormatUint(d.Sector, 10), "Partitions": strconv.Itoa(parts)})
		if serial, _ := i.Get("SerialNumber").Str(); d.Serial != "" && serial != d.Serial {
			t.Errorf("%s has the serial number %q, lsblk says %q", d.Name, serial, d.Serial)
		}
	}
	if disks != len(got) {
		t.Errorf("%d drives, lsblk lists %d", len(got), disks)
	}
}

// The expected values come from swapon(8).
func TestPageFilesAgainstSwapon(t *testing.T) {
	rows := lines(output(t, "swapon", "--noheadings", "--bytes", "--show=NAME,SIZE"))
	got := all(t, New(Options{}), "Win32_PageFileUsage", query{})
	if len(got) != len(rows) {
		t.Fatalf("%d page files, swapon lists %d", len(got), len(rows))
	}
	for n, row := range rows {
		f := strings.Fields(row)
		size, _ := strconv.ParseUint(f[len(f)-1], 10, 64)
		expect(t, got[n], map[string]string{"Name": f[0], "AllocatedBaseSize": strconv.FormatUint(size>>20, 10)})
	}
}

// The expected values come from df(1).
func TestFreeSpaceCountersAgainstDF(t *testing.T) {
	q := projected("Win32_PerfFormattedData_PerfDisk_LogicalDisk", "FreeMegabytes", "PercentFreeSpace")
	got := byName(all(t, New(Options{}), "Win32_PerfFormattedData_PerfDisk_LogicalDisk", q))["/"]
	if got == nil {
		t.Skip("/ lies on no device")
	}
	f := strings.Fields(lines(output(t, "df", "--block-size=1", "--output=size,avail", "/"))[1])
	size, _ := strconv.ParseFloat(f[0], 64)
	available, _ := strconv.ParseFloat(f[1], 64)
	near(t, "FreeMegabytes", mustUint(got, "FreeMegabytes"), available/(1<<20), 1024)
	near(t, "PercentFreeSpace", mustUint(got, "PercentFreeSpace"), 100*available/size, 2)
}

func near(t *testing.T, name string, got uint64, want, within float64) {
	t.Helper()
	if d := float64(got) - want; d < -within || d > within {
		t.Errorf("%s = %d, want %.0f", name, got, want)
	}
}

// between asks another program before and after, and tells whether ours lies in between; slack is how far it may lie
// outside, as the clocks and the caches of a busy machine move on.
func between(t *testing.T, name string, slack uint64, ask func() uint64, ours func() uint64) {
	t.Helper()
	before := ask()
	got := ours()
	after := ask()
	if low, high := min(before, after), max(before, after); got+slack < low || got > high+slack {
		t.Errorf("%s = %d, want a number from %d to %d, give or take %d", name, got, low, high, slack)
	}
}

// The expected values come from vmstat(8), free(1), nproc(1) and ps(1).
func TestSystemCountersAgainstOtherPrograms(t *testing.T) {
	p := New(Options{})
	vmstat := func(name string) uint64 {
		for _, l := range lines(output(t, "vmstat", "-s")) {
			if text, ok := strings.CutSuffix(l, " "+name); ok {
				n, _ := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
				return n
			}
		}
		t.Fatalf("vmstat has no %s", name)
		return 0
	}
	system := func() *cim.Instance { return only(t, p, "Win32_PerfRawData_PerfOS_System", query{}) }
	between(t, "ContextSwitchesPersec", 0, func() uint64 { return vmstat("CPU context switches") }, func() uint64 { return mustUint(system(), "ContextSwitchesPersec") })
	near(t, "SystemUpTime", mustUint(system(), "SystemUpTime")/ticksPerSecond, float64(vmstat("boot time")+11644473600), 1)
	between(t, "Processes", 30, func() uint64 { return uint64(len(lines(output(t, "ps", "-e", "--no-headers")))) },
		func() uint64 { return mustUint(system(), "Processes") })

	cpus, _ := strconv.ParseUint(output(t, "nproc", "--all"), 10, 64)
	total := func() *cim.Instance {
		return byName(all(t, p, "Win32_PerfRawData_PerfOS_Processor", query{}))[perfTotal]
	}
	// vmstat counts ticks of 10 ms of all processors together, ours are ticks of 100 ns of one on average
	for property, names := range map[string][2]string{
		"PercentUserTime": {"non-nice user cpu ticks", "nice user cpu ticks"}, "PercentIdleTime": {"idle cpu ticks", "IO-wait cpu ticks"},
	} {
		between(t, property, 20, func() uint64 { return (vmstat(names[0]) + vmstat(names[1])) / cpus },
			func() uint64 { return mustUint(total(), property) / 100_000 })
	}

	free := func(column int) func() uint64 { // total used free shared buff/cache available
		return func() uint64 {
			n, _ := strconv.ParseUint(strings.Fields(lines(output(t, "free", "-b"))[1])[column], 10, 64)
			return n
		}
	}
	memory := func(property string) func() uint64 {
		return func() uint64 { return mustUint(only(t, p, "Win32_PerfRawData_PerfOS_Memory", query{}), property) }
	}
	const drift = 512 << 20
	between(t, "FreeAndZeroPageListBytes", drift, free(3), memory("FreeAndZeroPageListBytes"))
	between(t, "CacheBytes", drift, free(5), memory("CacheBytes"))
	if _, err := os.Stat("/sys/fs/cgroup/memory.max"); err != nil {
		between(t, "AvailableBytes", drift, free(6), memory("AvailableBytes"))
	}
}

// The expected values come from ip(8) and nstat(8).
func TestNetworkCountersAgainstIP(t *testing.T) {
	p := New(Options{})
	type link struct {
		Name  string `json:"ifname"`
		Stats struct {
			RX struct{ Bytes, Packets, Errors, Dropped uint64 }
			TX struct{ Bytes, Packets, Errors, Dropped uint64 }
		} `json:"stats64"`
	}
	links := func() []link {
		var out []link
		if err := json.Unmarshal([]byte(output(t, "ip", "-s", "-j", "link")), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := links()
	got := byName(all(t, p, "Win32_PerfRawData_Tcpip_NetworkInterface", query{}))
	after := links()
	if len(got) != len(before) {
		t.Errorf("%d interfaces, ip lists %d", len(got), len(before))
	}
	for n, b := range before {
		i, a := got[interfaceInstance(b.Name)], after[n]
		if i == nil {
			t.Errorf("ip lists %s", b.Name)
			continue
		}
		for _, c := range []struct {
			property  string
			low, high uint64
		}{
			{"BytesReceivedPersec", b.Stats.RX.Bytes, a.Stats.RX.Bytes},
			{"BytesSentPersec", b.Stats.TX.Bytes, a.Stats.TX.Bytes},
			{"BytesTotalPersec", b.Stats.RX.Bytes + b.Stats.TX.Bytes, a.Stats.RX.Bytes + a.Stats.TX.Bytes},
			{"PacketsReceivedPersec", b.Stats.RX.Packets, a.Stats.RX.Packets},
			{"PacketsSentPersec", b.Stats.TX.Packets, a.Stats.TX.Packets},
			{"PacketsReceivedErrors", b.Stats.RX.Errors, a.Stats.RX.Errors},
			{"PacketsReceivedDiscarded", b.Stats.RX.Dropped, a.Stats.RX.Dropped},
			{"PacketsOutboundErrors", b.Stats.TX.Errors, a.Stats.TX.Errors},
			{"PacketsOutboundDiscarded", b.Stats.TX.Dropped, a.Stats.TX.Dropped},
		} {
			if v := mustUint(i, c.property); v < c.low || v > c.high {
				t.Errorf("%s.%s = %d, ip says %d to %d", b.Name, c.property, v, c.low, c.high)
			}
		}
	}
	nstat := func(name string) func() uint64 {
		return func() uint64 {
			n, _ := strconv.ParseUint(strings.Fields(lines(output(t, "nstat", "-asz", name))[1])[1], 10, 64)
			return n
		}
	}
	for property, name := range map[string]string{"ConnectionsActive": "TcpActiveOpens", "ConnectionsPassive": "TcpPassiveOpens", "SegmentsReceivedPersec": "TcpInSegs", "SegmentsSentPersec": "TcpOutSegs"} {
		between(t, property, 0, nstat(name), func() uint64 { return mustUint(only(t, p, "Win32_PerfRawData_Tcpip_TCPv4", query{}), property) })
	}
}

// The expected values come from ps(1), and from getrusage(2) of this process, which works during the measurement.
func TestProcessCountersAgainstPS(t *testing.T) {
	p := New(Options{})
	own := func(class string) *cim.Instance {
		for _, i := range all(t, p, class, query{}) {
			if mustUint(i, "IDProcess") == uint64(os.Getpid()) {
				return i
			}
		}
		t.Fatalf("%s does not have this process", class)
		return nil
	}
	ps := func(column string) string { return output(t, "ps", "-o", column+"=", "-p", strconv.Itoa(os.Getpid())) }
	between(t, "WorkingSet", 32<<20, func() uint64 {
		kb, _ := strconv.ParseUint(strings.TrimSpace(ps("rss")), 10, 64)
		return kb << 10
	}, func() uint64 { return mustUint(own("Win32_PerfRawData_PerfProc_Process"), "WorkingSet") })
	i := own("Win32_PerfRawData_PerfProc_Process")
	expect(t, i, map[string]string{"CreatingProcessID": strings.TrimSpace(ps("ppid"))})
	if name, _ := i.Get("Name").Str(); name != ps("comm") && !strings.HasPrefix(name, ps("comm")+"#") {
		t.Errorf("this process is %s, ps says %s", name, ps("comm"))
	}

	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	before := used()
	i = own("Win32_PerfFormattedData_PerfProc_Process")
	after := used()
	close(stop)
	<-done
	// the kernel counts in ticks of 10 ms
	if got, most := mustUint(i, "PercentProcessorTime"), 100*(after-before).Seconds()+3; got == 0 || float64(got) > most {
		t.Errorf("this process used %d %% of a processor, getrusage says at most %.0f %%", got, most)
	}
}
