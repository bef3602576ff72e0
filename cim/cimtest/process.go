package cimtest

import (
	"strconv"

	"github.com/casementhq/casement/cim"
)

// ProcessClass is a class of 45 properties in a namespace, like Win32_Process,
// for benchmarks.
func ProcessClass(namespace string) *cim.Class {
	b := cim.NewClass("CT_Process", nil).Dynamic().Key("Handle", cim.String)
	for _, name := range []string{
		"Caption", "CommandLine", "CreationClassName", "CSCreationClassName", "CSName", "Description", "ExecutablePath",
		"Name", "OSCreationClassName", "OSName", "Status", "WindowsVersion",
	} {
		b.Property(name, cim.String)
	}
	for _, name := range []string{"CreationDate", "InstallDate", "TerminationDate"} {
		b.Property(name, cim.Datetime)
	}
	for _, name := range []string{
		"HandleCount", "MaximumWorkingSetSize", "MinimumWorkingSetSize", "PageFaults", "PageFileUsage", "ParentProcessId",
		"PeakPageFileUsage", "PeakWorkingSetSize", "Priority", "ProcessId", "QuotaNonPagedPoolUsage", "QuotaPagedPoolUsage",
		"QuotaPeakNonPagedPoolUsage", "QuotaPeakPagedPoolUsage", "SessionId", "ThreadCount",
	} {
		b.Property(name, cim.Uint32)
	}
	for _, name := range []string{
		"KernelModeTime", "OtherOperationCount", "OtherTransferCount", "PeakVirtualSize", "PrivatePageCount",
		"ReadOperationCount", "ReadTransferCount", "UserModeTime", "VirtualSize", "WorkingSetSize", "WriteOperationCount",
		"WriteTransferCount",
	} {
		b.Property(name, cim.Uint64)
	}
	return b.Property("ExecutionState", cim.Uint16).Build(namespace)
}

// Processes are n instances of a ProcessClass.
func Processes(class *cim.Class, n int) []*cim.Instance {
	out := make([]*cim.Instance, n)
	for k := range out {
		id := uint32(k * 4)
		values := make([]cim.Value, len(class.Properties))
		for c := range values {
			switch p := &class.Properties[c]; {
			case p.Name == "Handle":
				values[c] = cim.Str(strconv.Itoa(int(id)))
			case p.Type == cim.String:
				values[c] = cim.Str("/usr/lib/" + p.Name + "/" + strconv.Itoa(int(id)))
			case p.Name == "CreationDate":
				values[c] = cim.Time("20240229235959.123456+060")
			case p.Type == cim.Uint32:
				values[c] = cim.U32(id + uint32(c))
			case p.Type == cim.Uint64:
				values[c] = cim.U64(uint64(id) << 16)
			default:
				values[c] = cim.Null(p.Type)
			}
		}
		out[k] = cim.MakeInstance(class, values)
	}
	return out
}
