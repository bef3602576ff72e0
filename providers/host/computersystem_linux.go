package host

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/procs"
)

const (
	csMemory uint32 = 1 << iota
	csProcessors
	csMembership
)

type computerRow struct {
	p          *Provider
	name       string
	location   *time.Location
	memory     procs.Memory
	processors []socket
	membership membership
}

type computerColumn = column[computerRow]

func computerText(name string, get func(*computerRow) string) computerColumn {
	return computerColumn{name: name, get: func(r *computerRow) cim.Value { return strOrNull(get(r)) }}
}

var computerTable = &table[computerRow]{name: "Win32_ComputerSystem", gather: gatherComputer, columns: []computerColumn{
	{name: "CreationClassName", get: fixedStr[computerRow]("Win32_ComputerSystem")},
	computerText("Name", func(r *computerRow) string { return r.name }),
	computerText("Caption", func(r *computerRow) string { return r.name }),
	computerText("Description", func(r *computerRow) string { return systemType(r.p.machine()) }),
	computerText("DNSHostName", func(r *computerRow) string { short, _, _ := strings.Cut(r.name, "."); return short }),
	computerText("Manufacturer", func(r *computerRow) string { return r.p.dmi("sys_vendor") }),
	computerText("Model", func(r *computerRow) string { return r.p.dmi("product_name") }),
	computerText("SystemFamily", func(r *computerRow) string { return r.p.dmi("product_family") }),
	computerText("SystemSKUNumber", func(r *computerRow) string { return r.p.dmi("product_sku") }),
	computerText("SystemType", func(r *computerRow) string { return systemType(r.p.machine()) }),
	computerText("UserName", func(r *computerRow) string {
		if u := r.p.consoleUser(); u != "" {
			return r.name + `\` + u
		}
		return ""
	}),
	{name: "PCSystemType", get: func(r *computerRow) cim.Value { return pcSystemType(r.p.dmi("chassis_type")) }},
	{name: "PCSystemTypeEx", get: func(r *computerRow) cim.Value { return pcSystemType(r.p.dmi("chassis_type")) }},
	{name: "Status", get: fixedStr[computerRow]("OK")},
	{name: "CurrentTimeZone", get: func(r *computerRow) cim.Value { return zoneMinutes(r.p.now(), r.location) }},
	{name: "DaylightInEffect", get: func(r *computerRow) cim.Value { return cim.Bool(r.p.now().In(r.location).IsDST()) }},
	{name: "TotalPhysicalMemory", need: csMemory, get: func(r *computerRow) cim.Value {
		if r.memory.Total == nil {
			return cim.Value{}
		}
		return cim.U64(*r.memory.Total)
	}},
	{name: "NumberOfProcessors", need: csProcessors, get: func(r *computerRow) cim.Value { return positive(len(r.processors)) }},
	{name: "NumberOfLogicalProcessors", need: csProcessors, get: func(r *computerRow) cim.Value {
		n := 0
		for i := range r.processors {
			n += len(r.processors[i].cpus)
		}
		return positive(n)
	}},
	{name: "HypervisorPresent", need: csProcessors, get: func(r *computerRow) cim.Value {
		for i := range r.processors {
			if flags := r.processors[i].cpus[0].Flags; len(flags) > 0 && isX86(r.p.machine()) {
				return cim.Bool(r.processors[i].has("hypervisor"))
			}
		}
		return cim.Value{}
	}},
	{name: "PartOfDomain", need: csMembership, get: func(r *computerRow) cim.Value {
		if !r.membership.known {
			return cim.Value{}
		}
		return cim.Bool(r.membership.domain != "")
	}},
	{name: "Domain", need: csMembership, get: func(r *computerRow) cim.Value {
		if r.membership.domain != "" {
			return cim.Str(r.membership.domain)
		}
		return strOrNull(r.membership.workgroup)
	}},
	{name: "Workgroup", need: csMembership, get: func(r *computerRow) cim.Value {
		if r.membership.domain != "" {
			return cim.Value{}
		}
		return strOrNull(r.membership.workgroup)
	}},
	{name: "DomainRole", need: csMembership, get: domainRole},
}}

// domainRole is 0 or 1 for a workstation and 2 or 3 for a server, odd for members of a domain; NULL where it is not
// known which of the two the machine is.
func domainRole(r *computerRow) cim.Value {
	kind, ok := productType(&osRow{release: r.p.osRelease()}).Uint()
	if !ok || !r.membership.known {
		return cim.Value{}
	}
	role := uint16(0)
	if kind == 3 {
		role = 2
	}
	if r.membership.domain != "" {
		role++
	}
	return cim.U16(role)
}

func isX86(machine string) bool {
	return machine == "x86_64" || len(machine) == 4 && machine[0] == 'i' && machine[2:] == "86"
}

func systemType(machine string) string {
	switch {
	case machine == "x86_64":
		return "x64-based PC"
	case isX86(machine):
		return "X86-based PC"
	case machine == "aarch64":
		return "ARM64-based PC"
	}
	return ""
}

// pcSystemType makes Desktop 1, Mobile 2 or Enterprise Server 4 of the chassis type of SMBIOS.
func pcSystemType(chassis string) cim.Value {
	n, err := strconv.Atoi(chassis)
	if err != nil {
		return cim.Value{}
	}
	switch n {
	case 3, 4, 5, 6, 7, 13, 15, 16, 35, 36:
		return cim.U16(1)
	case 8, 9, 10, 11, 14, 30, 31, 32:
		return cim.U16(2)
	case 17, 23, 25, 28:
		return cim.U16(4)
	}
	return cim.Value{}
}

func gatherComputer(_ context.Context, p *Provider, need uint32, _ query, f func(*computerRow) error) error {
	r := &computerRow{p: p, name: p.hostName(), location: p.location()}
	if need&csMemory != 0 {
		// the memory of the machine, whatever a container may use of it
		if t, err := p.openProcs(); err == nil {
			r.memory, _ = t.HostMemory()
		}
	}
	if need&csProcessors != 0 {
		r.processors = p.sockets()
	}
	if need&csMembership != 0 {
		r.membership = p.membership()
	}
	return f(r)
}
