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

// between asks another program for a growing number before and after, and tells whether ours lies in between.
func between(t *testing.T, name string, ask func() uint64, ours func() uint64) {
	t.Helper()
	before := ask()
	got := ours()
	if after := ask(); got < before || got > after {
		t.Errorf("%s = %d, want a number from %d to %d", name, got, before, after)
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
	between(t, "ContextSwitchesPersec", func() uint64 { return vmstat("CPU context switches") }, func() uint64 { return mustUint(system(), "ContextSwitchesPersec") })
	near(t, "SystemUpTime", mustUint(system(), "SystemUpTime")/ticksPerSecond, float64(vmstat("boot time")+11644473600), 1)
	near(t, "Processes", mustUint(system(), "Processes"), float64(len(lines(output(t, "ps", "-e", "--no-headers")))), 20)

	cpus, _ := strconv.ParseUint(output(t, "nproc", "--all"), 10, 64)
	total := func() *cim.Instance {
		return byName(all(t, p, "Win32_PerfRawData_PerfOS_Processor", query{}))[perfTotal]
	}
	// vmstat counts ticks of 10 ms of all processors together
	user := float64(vmstat("non-nice user cpu ticks")+vmstat("nice user cpu ticks")) / float64(cpus)
	near(t, "PercentUserTime", mustUint(total(), "PercentUserTime")/100_000, user, 100)
	idle := float64(vmstat("idle cpu ticks")+vmstat("IO-wait cpu ticks")) / float64(cpus)
	near(t, "PercentIdleTime", mustUint(total(), "PercentIdleTime")/100_000, idle, 100)

	memory := only(t, p, "Win32_PerfRawData_PerfOS_Memory", query{})
	row := strings.Fields(lines(output(t, "free", "-b"))[1]) // total used free shared buff/cache available
	number := func(n int) float64 { f, _ := strconv.ParseFloat(row[n], 64); return f }
	const drift = 256 << 20
	near(t, "FreeAndZeroPageListBytes", mustUint(memory, "FreeAndZeroPageListBytes"), number(3), drift)
	near(t, "CacheBytes", mustUint(memory, "CacheBytes"), number(5), drift)
	if _, err := os.Stat("/sys/fs/cgroup/memory.max"); err != nil {
		near(t, "AvailableBytes", mustUint(memory, "AvailableBytes"), number(6), drift)
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
		between(t, property, nstat(name), func() uint64 { return mustUint(only(t, p, "Win32_PerfRawData_Tcpip_TCPv4", query{}), property) })
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
	f := strings.Fields(output(t, "ps", "-o", "rss=,ppid=,comm=", "-p", strconv.Itoa(os.Getpid())))
	i := own("Win32_PerfRawData_PerfProc_Process")
	rss, _ := strconv.ParseFloat(f[0], 64)
	near(t, "WorkingSet", mustUint(i, "WorkingSet"), rss*1024, 32<<20)
	expect(t, i, map[string]string{"CreatingProcessID": f[1]})
	if name, _ := i.Get("Name").Str(); name != f[2] && !strings.HasPrefix(name, f[2]+"#") {
		t.Errorf("this process is %s, ps says %s", name, f[2])
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
