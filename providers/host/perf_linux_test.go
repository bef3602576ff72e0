package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// perfTree is a machine with two processors, as it is when a measurement begins.
func perfTree() map[string]string {
	return map[string]string{
		"proc/stat": "cpu  400 20 100 2000 20 4 6 0 0 0\n" +
			"cpu0 200 10 50 1000 10 2 3 0 0 0\n" +
			"cpu1 200 10 50 1000 10 2 3 0 0 0\n" +
			"intr 5000 1\nctxt 100000\nbtime 946684000\nprocesses 500\nprocs_running 5\nprocs_blocked 0\n",
		"proc/interrupts": "           CPU0       CPU1\n  0:        100          0   IO-APIC   2-edge      timer\n" +
			" 28:        900       2000   PCI-MSI 524288-edge      virtio0\nNMI:          5          5   Non-maskable interrupts\nERR:          7\n",
		"proc/softirqs": "                    CPU0       CPU1\n          HI:          1          0\n       TIMER:        400        300\n",
		"proc/loadavg":  "0.10 0.20 0.30 2/128 4711\n",
		"proc/meminfo": "MemTotal:        8000000 kB\nMemFree:         1000000 kB\nMemAvailable:    4000000 kB\nBuffers:          100000 kB\nCached:          2000000 kB\n" +
			"Dirty:               300 kB\nSReclaimable:     200000 kB\nSUnreclaim:        50000 kB\nCommitLimit:     4096000 kB\nCommitted_AS:    1024000 kB\n",
		"proc/vmstat":    "pgfault 1000\npgmajfault 10\npswpin 100\npswpout 200\n",
		"proc/diskstats": "   8       0 sda 1000 5 8000 2000 500 6 4000 1000 2 2500 3000 0 0 0 0\n 259       0 nvme0n1 100 0 800 50 0 0 0 0 0 50 50\n   7       0 loop0 9 9 9 9 9 9 9 9 9 9 9\n",
		"proc/net/dev": "Inter-|   Receive                                                |  Transmit\n" +
			" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
			"  eth0: 1000000 2000 1 2 0 0 0 30 500000 1000 3 4 0 0 0 0\nwlan#(1): 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\nwlan_[1]: 20 2 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n",
		"sys/class/net/eth0/speed":     "1000\n",
		"sys/class/net/wlan#(1)/speed": "-1\n",
		"proc/net/snmp": "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n" +
			"Tcp: 1 200 120000 -1 30 20 3 4 7 1000 900 10 0 5 0\n",
		"sys/devices/system/cpu/cpu0/cpuidle/state0/name": "POLL\n", "sys/devices/system/cpu/cpu0/cpuidle/state0/time": "5\n", "sys/devices/system/cpu/cpu0/cpuidle/state0/usage": "5\n",
		"sys/devices/system/cpu/cpu0/cpuidle/state1/name": "C1\n", "sys/devices/system/cpu/cpu0/cpuidle/state1/time": "1000\n", "sys/devices/system/cpu/cpu0/cpuidle/state1/usage": "10\n",
		"sys/devices/system/cpu/cpu0/cpuidle/state2/name": "C1E\n", "sys/devices/system/cpu/cpu0/cpuidle/state2/time": "2000\n", "sys/devices/system/cpu/cpu0/cpuidle/state2/usage": "20\n",
		"sys/devices/system/cpu/cpu0/cpuidle/state3/name": "C6\n", "sys/devices/system/cpu/cpu0/cpuidle/state3/time": "90000\n", "sys/devices/system/cpu/cpu0/cpuidle/state3/usage": "9\n",
	}
}

// measured lists a formatted class while the machine changes in the middle of the measurement, which takes one second
// of the clock of a bubble.
func measured(t *testing.T, tree, later map[string]string, class string, check func(t *testing.T, p *Provider, got map[string]*cim.Instance)) {
	t.Helper()
	dir := root(t, tree)
	synctest.Test(t, func(t *testing.T) {
		go func() {
			time.Sleep(loadSpan / 2)
			for name, content := range later {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
					t.Error(err)
				}
			}
		}()
		p := New(Options{Root: dir})
		begin := time.Now()
		got := byName(all(t, p, class, query{}))
		if d := time.Since(begin); d != loadSpan {
			t.Errorf("the measurement took %v, want %v", d, loadSpan)
		}
		check(t, p, got)
	})
}

func byName(all []*cim.Instance) map[string]*cim.Instance {
	out := map[string]*cim.Instance{}
	for _, i := range all {
		name, _ := i.Get("Name").Str()
		out[name] = i
	}
	return out
}

// In one second, processor 0 spends 0.3 s in programs, 0.1 s in the kernel and 0.6 s idle or waiting; processor 1 is
// idle all the time.
func TestFormattedProcessors(t *testing.T) {
	later := map[string]string{
		"proc/stat": "cpu  430 20 105 2160 20 6 9 0 0 0\n" +
			"cpu0 225 15 55 1055 15 4 6 0 0 0\n" +
			"cpu1 200 10 50 1100 10 2 3 0 0 0\n" +
			"intr 5000 1\nctxt 100000\nbtime 946684000\nprocesses 500\nprocs_running 2\nprocs_blocked 0\n",
		"proc/interrupts": "           CPU0       CPU1\n  0:        110          0   IO-APIC   2-edge      timer\n" +
			" 28:       1000       2500   PCI-MSI 524288-edge      virtio0\nNMI:          5          5   Non-maskable interrupts\nERR:          9\n",
		"sys/devices/system/cpu/cpu0/cpuidle/state1/time": "101000\n", // 0.1 s
		"sys/devices/system/cpu/cpu0/cpuidle/state2/time": "152000\n", // 0.15 s
		"sys/devices/system/cpu/cpu0/cpuidle/state3/time": "390000\n", // 0.3 s
	}
	measured(t, perfTree(), later, "Win32_PerfFormattedData_PerfOS_Processor", func(t *testing.T, p *Provider, got map[string]*cim.Instance) {
		if len(got) != 3 {
			t.Fatalf("%d instances, want 0, 1 and _Total", len(got))
		}
		expect(t, got["0"], map[string]string{
			"PercentProcessorTime": "40", "PercentIdleTime": "60", "PercentUserTime": "30", "PercentPrivilegedTime": "10", "PercentInterruptTime": "2", "PercentDPCTime": "3",
			"InterruptsPersec": "110", "DPCsQueuedPersec": "0", "PercentC1Time": "25", "PercentC2Time": "null", "PercentC3Time": "30", "C1TransitionsPersec": "0",
			"DPCRate": "null", "Timestamp_Sys100NS": "null",
		})
		expect(t, got["1"], map[string]string{"PercentProcessorTime": "0", "PercentIdleTime": "100", "InterruptsPersec": "500", "PercentC1Time": "null"})
		expect(t, got[perfTotal], map[string]string{"PercentProcessorTime": "20", "PercentIdleTime": "80", "PercentUserTime": "15", "InterruptsPersec": "610"})

		// Who asks again within a second has the same answer, and nobody waits before the next measurement.
		begin := time.Now()
		one := only(t, p, "Win32_PerfFormattedData_PerfOS_Processor", fixed(map[string]cim.Value{"Name": cim.Str("_total")}))
		expect(t, one, map[string]string{"PercentProcessorTime": "20"})
		if d := time.Since(begin); d != 0 {
			t.Errorf("the second question took %v", d)
		}
		time.Sleep(5 * time.Second)
		begin = time.Now()
		idle := only(t, p, "Win32_PerfFormattedData_PerfOS_Processor", fixed(map[string]cim.Value{"Name": cim.Str("1")}))
		expect(t, idle, map[string]string{"InterruptsPersec": "0"})
		if d := time.Since(begin); d != 0 {
			t.Errorf("a question after 5 s took %v", d)
		}
		time.Sleep(time.Minute)
		begin = time.Now()
		all(t, p, "Win32_PerfFormattedData_PerfOS_Processor", query{})
		if d := time.Since(begin); d != loadSpan {
			t.Errorf("a question after a minute took %v, want a new measurement", d)
		}
	})
}

func TestFormattedMemoryAndSystem(t *testing.T) {
	later := map[string]string{
		"proc/vmstat": "pgfault 1250\npgmajfault 14\npswpin 130\npswpout 270\n",
	}
	measured(t, perfTree(), later, "Win32_PerfFormattedData_PerfOS_Memory", func(t *testing.T, p *Provider, got map[string]*cim.Instance) {
		expect(t, got[""], map[string]string{
			"AvailableBytes": "4096000000", "AvailableKBytes": "4000000", "AvailableMBytes": "3906", "CommittedBytes": "1048576000", "CommitLimit": "4194304000",
			"PercentCommittedBytesInUse": "25", "CacheBytes": "2355200000", "FreeAndZeroPageListBytes": "1024000000", "ModifiedPageListBytes": "307200", "PoolNonpagedBytes": "51200000",
			"PageFaultsPersec": "250", "PageReadsPersec": "4", "PagesInputPersec": "30", "PagesOutputPersec": "70", "PagesPersec": "100", "PoolPagedBytes": "null", "Name": "null",
		})
		// What one sample tells is there at once.
		begin := time.Now()
		q := projected("Win32_PerfFormattedData_PerfOS_System", "SystemUpTime", "Processes")
		expect(t, only(t, p, "Win32_PerfFormattedData_PerfOS_System", q), map[string]string{"Processes": "0", "ContextSwitchesPersec": "null"})
		if d := time.Since(begin); d != 0 {
			t.Errorf("values of one sample took %v", d)
		}
	})
	later = map[string]string{"proc/stat": strings.NewReplacer("ctxt 100000", "ctxt 103000", "procs_running 5", "procs_running 9").Replace(perfTree()["proc/stat"])}
	tree := perfTree()
	tree["proc/1/stat"], tree["proc/22/stat"] = "", ""
	measured(t, tree, later, "Win32_PerfFormattedData_PerfOS_System", func(t *testing.T, _ *Provider, got map[string]*cim.Instance) {
		// The clock of the bubble begins at 946684800, 800 s after the boot of this machine.
		expect(t, got[""], map[string]string{
			"ContextSwitchesPersec": "3000", "Processes": "2", "Threads": "128", "ProcessorQueueLength": "7", "SystemUpTime": "801", "SystemCallsPersec": "null",
		})
	})
}

// In one second the disk does 20 reads of 16 KB in 0.4 s of time and 5 writes of 4 KB in 0.1 s, and is busy for 0.25 s.
func TestFormattedDisks(t *testing.T) {
	tree := storageTree()
	for name, content := range perfTree() {
		tree[name] = content
	}
	later := map[string]string{
		"proc/diskstats": "   8       0 sda 1020 5 8640 2400 505 6 4040 1100 3 2750 3500 0 0 0 0\n 259       0 nvme0n1 100 0 800 50 0 0 0 0 0 50 50\n",
	}
	measured(t, tree, later, "Win32_PerfFormattedData_PerfDisk_PhysicalDisk", func(t *testing.T, _ *Provider, got map[string]*cim.Instance) {
		if len(got) != 4 {
			t.Fatalf("%d instances, want three drives and the total", len(got))
		}
		busy := map[string]string{
			"DiskReadsPersec": "20", "DiskWritesPersec": "5", "DiskTransfersPersec": "25", "DiskReadBytesPersec": "327680", "DiskWriteBytesPersec": "20480", "DiskBytesPersec": "348160",
			"AvgDiskBytesPerRead": "16384", "AvgDiskBytesPerWrite": "4096", "AvgDiskBytesPerTransfer": "13926", "AvgDisksecPerRead": "0", "AvgDiskQueueLength": "0",
			"PercentDiskReadTime": "40", "PercentDiskWriteTime": "10", "PercentDiskTime": "50", "PercentIdleTime": "75", "CurrentDiskQueueLength": "3", "SplitIOPerSec": "null",
		}
		expect(t, got["0 sda"], busy)
		expect(t, got["2 nvme0n1"], map[string]string{"DiskReadsPersec": "0", "PercentIdleTime": "100", "AvgDiskBytesPerRead": "0"})
		expect(t, got["1 sdb"], map[string]string{"DiskReadsPersec": "null", "PercentIdleTime": "null"}) // the kernel does not list it
		expect(t, got[perfTotal], map[string]string{"DiskReadsPersec": "null"})
	})
}

func TestTotalOfDisksIsTheAverageOfTimes(t *testing.T) {
	tree := storageTree()
	for name, content := range perfTree() {
		tree[name] = content
	}
	for name := range tree {
		if strings.HasSuffix(name, "block/sdb/dev") {
			delete(tree, name)
		}
	}
	dir := root(t, tree)
	got := byName(all(t, New(Options{Root: dir, Now: func() time.Time { return time.Unix(1_000_000, 0) }}), "Win32_PerfRawData_PerfDisk_PhysicalDisk", query{}))
	// 1601 was 11644473600 s before 1970
	const now = "116454736000000000"
	expect(t, got[perfTotal], map[string]string{
		"DiskReadsPersec": "1100", "DiskReadBytesPersec": "4505600", "CurrentDiskQueueLength": "2",
		"AvgDiskQueueLength": "30500000", "AvgDisksecPerRead": "2050000", "AvgDisksecPerRead_Base": "1100",
		"PercentDiskReadTime": "10250000", "PercentDiskTime": "15250000", "PercentDiskTime_Base": now,
		"PercentIdleTime":    "116454735987250000", // less the average of 2.5 s and 0.05 s
		"Timestamp_PerfTime": now[:len(now)-1], "Timestamp_Sys100NS": now, "Frequency_Sys100NS": "10000000", "Frequency_PerfTime": "1000000", "Timestamp_Object": "0", "Frequency_Object": "0",
	})
}

func TestFormattedLogicalDisks(t *testing.T) {
	tree := storageTree()
	tree["proc/diskstats"] = " 253       0 dm-0 10 0 80 5 0 0 0 0 0 5 5\n   8       1 sda1 1 0 8 1 0 0 0 0 0 1 1\n 259       1 nvme0n1p1 2 0 16 2 0 0 0 0 0 2 2\n"
	p := New(Options{Root: root(t, tree)})
	p.system.statFS = func(path string) (fileSystem, error) {
		return fileSystem{blockSize: 1 << 20, blocks: 1000, available: uint64(100 * len(path))}, nil
	}
	q := projected("Win32_PerfFormattedData_PerfDisk_LogicalDisk", "FreeMegabytes", "PercentFreeSpace")
	got := byName(all(t, p, "Win32_PerfFormattedData_PerfDisk_LogicalDisk", q))
	if len(got) != 4 {
		t.Fatalf("%d instances, want /, /boot/efi, /data and the total", len(got))
	}
	expect(t, got["/"], map[string]string{"FreeMegabytes": "100", "PercentFreeSpace": "10"})
	expect(t, got["/data"], map[string]string{"FreeMegabytes": "500", "PercentFreeSpace": "50"})
	expect(t, got[perfTotal], map[string]string{"FreeMegabytes": "1500", "PercentFreeSpace": "50"})
	raw := byName(all(t, p, "Win32_PerfRawData_PerfDisk_LogicalDisk", query{}))
	expect(t, raw["/"], map[string]string{"DiskReadsPersec": "10", "PercentFreeSpace": "100", "PercentFreeSpace_Base": "1000"})
	expect(t, raw[perfTotal], map[string]string{"DiskReadsPersec": "13"})
}

func TestFormattedInterfacesAndTCP(t *testing.T) {
	later := map[string]string{
		"proc/net/dev": "  eth0: 1500000 2600 1 5 0 0 0 30 600000 1100 3 4 0 0 0 0\nwlan#(1): 5 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n",
	}
	measured(t, perfTree(), later, "Win32_PerfFormattedData_Tcpip_NetworkInterface", func(t *testing.T, p *Provider, got map[string]*cim.Instance) {
		expect(t, got["eth0"], map[string]string{
			"BytesReceivedPersec": "500000", "BytesSentPersec": "100000", "BytesTotalPersec": "600000", "PacketsReceivedPersec": "600", "PacketsSentPersec": "100", "PacketsPersec": "700",
			"CurrentBandwidth": "1000000000", "PacketsReceivedErrors": "1", "PacketsReceivedDiscarded": "5", "PacketsOutboundErrors": "3", "PacketsOutboundDiscarded": "4", "OutputQueueLength": "null",
		})
		// The interface was made anew: its counter went down.
		expect(t, got["wlan_[1]"], map[string]string{"BytesReceivedPersec": "null", "BytesSentPersec": "0", "CurrentBandwidth": "null"})
	})
	raw := byName(all(t, New(Options{Root: root(t, perfTree())}), "Win32_PerfRawData_Tcpip_NetworkInterface", query{}))
	if raw["wlan_[1]"] == nil || raw["wlan_[1]#1"] == nil {
		t.Errorf("two interfaces of one instance name: %v", raw)
	}
	snmp := strings.NewReplacer("1000 900 10", "1600 1100 13").Replace(perfTree()["proc/net/snmp"])
	measured(t, perfTree(), map[string]string{"proc/net/snmp": snmp}, "Win32_PerfFormattedData_Tcpip_TCPv4", func(t *testing.T, _ *Provider, got map[string]*cim.Instance) {
		expect(t, got[""], map[string]string{
			"ConnectionsEstablished": "7", "ConnectionsActive": "30", "ConnectionsPassive": "20", "ConnectionFailures": "3", "ConnectionsReset": "4",
			"SegmentsReceivedPersec": "600", "SegmentsSentPersec": "200", "SegmentsRetransmittedPersec": "3", "SegmentsPersec": "800",
		})
	})
}

// perfStat is a line of /proc/PID/stat with the fields that matter here.
func perfStat(pid, name, utime, stime, threads, start string) string {
	return pid + " (" + name + ") S 1 1 1 0 -1 0 100 0 5 0 " + utime + " " + stime + " 0 0 20 0 " + threads + " 0 " + start +
		" 10485760 256 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
}

// A process is known again by its id and its start, not by its name: one that took the name of another has no past.
func TestFormattedProcesses(t *testing.T) {
	tree := perfTree()
	for pid, stat := range map[string]string{
		"10": perfStat("10", "worker", "100", "10", "4", "5000"), "11": perfStat("11", "worker", "200", "20", "1", "6000"), "12": perfStat("12", "_Total", "0", "0", "1", "7000"),
	} {
		tree["proc/"+pid+"/stat"] = stat
	}
	later := map[string]string{
		"proc/10/stat": perfStat("10", "other", "5", "5", "1", "90000"), // a new process with the id of the old one
		"proc/11/stat": perfStat("11", "worker", "225", "30", "2", "6000"),
	}
	measured(t, tree, later, "Win32_PerfFormattedData_PerfProc_Process", func(t *testing.T, _ *Provider, got map[string]*cim.Instance) {
		if len(got) != 4 {
			t.Fatalf("%d instances, want 4: %v", len(got), got)
		}
		expect(t, got["other"], map[string]string{"IDProcess": "10", "PercentProcessorTime": "null", "ThreadCount": "1"})
		expect(t, got["worker"], map[string]string{
			"IDProcess": "11", "PercentProcessorTime": "35", "PercentUserTime": "25", "PercentPrivilegedTime": "10", "ThreadCount": "2", "WorkingSet": "1048576", "VirtualBytes": "10485760",
			"ElapsedTime": "741", "CreatingProcessID": "1", "PriorityBase": "8", "HandleCount": "null", "PoolPagedBytes": "null",
		})
		expect(t, got["_Total#1"], map[string]string{"IDProcess": "12"})
		expect(t, got[perfTotal], map[string]string{"IDProcess": "0", "ThreadCount": "4", "ElapsedTime": "null", "PriorityBase": "null", "WorkingSet": "3145728"})
	})
	raw := byName(all(t, New(Options{Root: root(t, tree)}), "Win32_PerfRawData_PerfProc_Process", query{}))
	if raw["worker"] == nil || raw["worker#1"] == nil || len(raw) != 4 {
		t.Errorf("processes of one name: %v", raw)
	}
	expect(t, raw[perfTotal], map[string]string{"PercentProcessorTime": "33000000", "ThreadCount": "6"})
}

func TestUniqueNames(t *testing.T) {
	var u uniqueNames
	var got []string
	for _, n := range []string{"a", "A", "a#1", "a", "b"} {
		got = append(got, u.next(n))
	}
	if s := strings.Join(got, " "); s != "a A#1 a#1#1 a#2 b" {
		t.Errorf("names %s", s)
	}
}

// Two monitors that poll for different properties of one class do not make each other wait.
func TestMonitorsMeasureForEachOther(t *testing.T) {
	dir := root(t, perfTree())
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Root: dir})
		const class = "Win32_PerfFormattedData_PerfOS_Processor"
		ask := func(property string) time.Duration {
			begin := time.Now()
			all(t, p, class, projected(class, property))
			return time.Since(begin)
		}
		if d := ask("PercentUserTime"); d != loadSpan {
			t.Errorf("the first monitor waited %v", d)
		}
		if d := ask("InterruptsPersec"); d != loadSpan {
			t.Errorf("the second monitor waited %v", d)
		}
		for range 3 {
			time.Sleep(3 * time.Second)
			if d := ask("PercentUserTime") + ask("InterruptsPersec"); d != 0 {
				t.Errorf("the monitors waited %v", d)
			}
		}
	})
}

// A caller who leaves during the measurement does not spoil it for the others.
func TestMeasurementIsLeft(t *testing.T) {
	dir := root(t, perfTree())
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Root: dir})
		c := classNamed("Win32_PerfFormattedData_PerfOS_Memory")
		ctx, cancel := context.WithTimeout(t.Context(), loadSpan/2)
		defer cancel()
		err := p.list(ctx, c, query{}, func(*cim.Instance) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a measurement that was left gives %v", err)
		}
		begin := time.Now()
		expect(t, only(t, p, c.Name, query{}), map[string]string{"PageFaultsPersec": "0"})
		if d := time.Since(begin); d != loadSpan/2 {
			t.Errorf("the next caller waited %v, want what was left of the measurement", d)
		}
	})
}

// All formatted classes measure in the same second when they are listed together: deep, or by a query of their
// superclass; what needs no measurement waits for none.
func TestPerformanceClassesShareOneWait(t *testing.T) {
	tree := perfTree()
	tree["proc/self/mountinfo"] = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	dir := root(t, tree)
	for _, tt := range []struct {
		ask   string
		waits time.Duration
	}{
		{"SELECT * FROM Win32_Perf", loadSpan},
		{"SELECT * FROM Win32_PerfFormattedData", loadSpan},
		{"SELECT Name FROM Win32_Perf", 0},
		{"SELECT * FROM Win32_PerfRawData", 0},
		{"", loadSpan}, // Enumerate
	} {
		synctest.Test(t, func(t *testing.T) {
			p := New(Options{Root: dir})
			m := cimom.New(cimom.Options{Server: "BOX"})
			defer m.Close()
			register(t, m, p)
			s, err := m.Open(t.Context(), administrator(), Namespace, cim.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			var e cim.Enumerator
			if tt.ask == "" {
				e, err = s.Enumerate(t.Context(), "Win32_Perf", cim.EnumerateOptions{})
			} else {
				e, err = s.Query(t.Context(), tt.ask, cim.QueryOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := cim.Collect(t.Context(), e)
			if err != nil {
				t.Error(err)
			}
			if d := time.Since(begin); d != tt.waits {
				t.Errorf("%q waited %v, want %v", tt.ask, d, tt.waits)
			}
			formatted := map[string]bool{}
			for _, i := range got {
				if strings.HasPrefix(i.Class().Name, "Win32_PerfFormattedData_") {
					formatted[i.Class().Name] = true
				}
			}
			if tt.ask != "SELECT * FROM Win32_PerfRawData" && len(formatted) < 7 {
				t.Errorf("%q finds instances of %v only", tt.ask, formatted)
			}
			if tt.ask == "SELECT * FROM Win32_Perf" {
				for _, i := range got {
					if i.Class().Name == "Win32_PerfFormattedData_PerfOS_Memory" && i.Get("PageFaultsPersec").IsNull() {
						t.Error("a rate is not known: the class had one sample")
					}
				}
			}
		})
	}
}
