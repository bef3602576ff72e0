package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// pullResponse builds a PullResponse of n instances of Win32_Process with its
// 45 properties, about 2.4 kB each, as Windows writes them.
func pullResponse(n int) []byte {
	const class = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Process"
	props := []struct{ name, value string }{
		{"Caption", "svchost.exe"}, {"CommandLine", `C:\Windows\system32\svchost.exe -k netsvcs -p -s "Schedule"`},
		{"CreationClassName", "Win32_Process"}, {"CreationDate", "dt"}, {"CSCreationClassName", "Win32_ComputerSystem"},
		{"CSName", "WIN-7F3K2Q8M1"}, {"Description", "svchost.exe"}, {"ExecutablePath", `C:\Windows\system32\svchost.exe`},
		{"ExecutionState", ""}, {"Handle", "%d"}, {"HandleCount", "421"}, {"InstallDate", ""}, {"KernelModeTime", "156250"},
		{"MaximumWorkingSetSize", "1380"}, {"MinimumWorkingSetSize", "200"}, {"Name", "svchost.exe"},
		{"OSCreationClassName", "Win32_OperatingSystem"}, {"OSName", `Microsoft Windows Server 2022 Standard|C:\Windows|\Device\Harddisk0\Partition3`},
		{"OtherOperationCount", "2418"}, {"OtherTransferCount", "45208"}, {"PageFaults", "6120"}, {"PageFileUsage", "3712"},
		{"ParentProcessId", "612"}, {"PeakPageFileUsage", "3924"}, {"PeakVirtualSize", "2203470495744"}, {"PeakWorkingSetSize", "10564"},
		{"Priority", "8"}, {"PrivatePageCount", "3801088"}, {"ProcessId", "%d"}, {"QuotaNonPagedPoolUsage", "14"},
		{"QuotaPagedPoolUsage", "96"}, {"QuotaPeakNonPagedPoolUsage", "15"}, {"QuotaPeakPagedPoolUsage", "97"},
		{"ReadOperationCount", "12"}, {"ReadTransferCount", "24064"}, {"SessionId", "0"}, {"Status", ""}, {"TerminationDate", ""},
		{"ThreadCount", "7"}, {"UserModeTime", "312500"}, {"VirtualSize", "2203468390400"}, {"WindowsVersion", "10.0.20348"},
		{"WorkingSetSize", "10272768"}, {"WriteOperationCount", "0"}, {"WriteTransferCount", "0"},
	}
	w := NewWriter(nil)
	w.Envelope(Enumeration)
	w.Start(Envelope, "Body")
	w.Start(Enumeration, "PullResponse")
	w.Start(Enumeration, "Items")
	for i := range n {
		w.StartPrefix("p", "Win32_Process")
		w.Declare(XSI, CIM)
		w.Xmlns("p", class)
		w.Attr(XSI, "type", "p:Win32_Process_Type")
		for _, p := range props {
			w.StartPrefix("p", p.name)
			switch {
			case p.value == "":
				w.Attr(XSI, "nil", "true")
			case p.value == "dt":
				w.Element(CIM, "Datetime", "2026-01-15T09:24:41.123456Z")
			case strings.Contains(p.value, "%d"):
				w.Text(fmt.Sprintf(p.value, 4*i+8))
			default:
				w.Text(p.value)
			}
			w.End()
		}
		w.End()
	}
	for range 4 {
		w.End()
	}
	return w.Bytes()
}

// BenchmarkTokens compares the reader with the raw-token loop of encoding/xml
// on the same bytes.
func BenchmarkTokens(b *testing.B) {
	doc := pullResponse(5000)
	b.Run("soap", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			r := NewReader(doc, Limits{})
			for {
				k, err := r.Next()
				if err != nil {
					b.Fatal(err)
				}
				if k == EOF {
					break
				}
			}
		}
	})
	b.Run("encoding/xml", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			d := xml.NewDecoder(bytes.NewReader(doc))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	w := NewWriter(make([]byte, 0, 1<<20))
	text := strings.Repeat("C:\\Windows\\system32 ", 20)
	b.SetBytes(1000 * 420)
	b.ReportAllocs()
	for b.Loop() {
		w.Reset()
		w.Envelope()
		for range 1000 {
			w.Element(WSMan, "Item", text)
		}
		w.End()
	}
}
