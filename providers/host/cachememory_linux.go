package host

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// cacheRow are all caches of one level and type of one processor package, as SMBIOS counts them too.
type cacheRow struct {
	p                  *Provider
	index              int
	level, kind, ways  string
	line, policy, sets string
	kilobytes          uint64
}

func (r *cacheRow) name() string {
	switch r.kind {
	case "Data":
		return "L" + r.level + " Data Cache"
	case "Instruction":
		return "L" + r.level + " Instruction Cache"
	}
	return "L" + r.level + " Cache"
}

type cacheColumn = column[cacheRow]

func cacheName(r *cacheRow) cim.Value { return cim.Str(r.name()) }

var cacheTable = &table[cacheRow]{name: "Win32_CacheMemory", gather: gatherCaches, columns: []cacheColumn{
	{name: "CreationClassName", get: fixedStr[cacheRow]("Win32_CacheMemory")},
	{name: "SystemCreationClassName", get: fixedStr[cacheRow]("Win32_ComputerSystem")},
	{name: "SystemName", get: func(r *cacheRow) cim.Value { return strOrNull(r.p.hostName()) }},
	{name: "DeviceID", get: func(r *cacheRow) cim.Value { return cim.Str("Cache Memory " + strconv.Itoa(r.index)) }},
	{name: "Name", get: cacheName},
	{name: "Caption", get: cacheName},
	{name: "Description", get: cacheName},
	{name: "Purpose", get: cacheName},
	{name: "InstalledSize", get: func(r *cacheRow) cim.Value { return cim.U32(uint32(r.kilobytes)) }},
	{name: "BlockSize", get: fixedValue[cacheRow](cim.U64(1024))},
	{name: "NumberOfBlocks", get: func(r *cacheRow) cim.Value { return cim.U64(r.kilobytes) }},
	{name: "Level", get: func(r *cacheRow) cim.Value {
		switch n, err := strconv.Atoi(r.level); {
		case err != nil:
			return cim.Value{}
		case n >= 1 && n <= 3:
			return cim.U16(uint16(n) + 2) // primary 3, secondary 4, tertiary 5
		}
		return cim.U16(1)
	}},
	{name: "CacheType", get: func(r *cacheRow) cim.Value {
		switch r.kind {
		case "Instruction":
			return cim.U16(3)
		case "Data":
			return cim.U16(4)
		case "Unified":
			return cim.U16(5)
		}
		return cim.Value{}
	}},
	{name: "LineSize", get: func(r *cacheRow) cim.Value { return number(cim.Uint32, r.line) }},
	{name: "Associativity", get: cacheAssociativity},
	{name: "WritePolicy", get: func(r *cacheRow) cim.Value {
		switch r.policy {
		case "WriteBack":
			return cim.U16(3)
		case "WriteThrough":
			return cim.U16(4)
		}
		return cim.Value{}
	}},
	{name: "Location", get: fixedValue[cacheRow](cim.U16(0))}, // internal: the kernel tells of caches in processors
}}

// cacheAssociativity is the number of the class; other numbers of ways have none and are 1, other. One set is fully
// associative.
func cacheAssociativity(r *cacheRow) cim.Value {
	if r.sets == "1" || r.ways == "0" {
		return cim.U16(6)
	}
	switch r.ways {
	case "":
		return cim.Value{}
	case "1":
		return cim.U16(3)
	case "2":
		return cim.U16(4)
	case "4":
		return cim.U16(5)
	case "8":
		return cim.U16(7)
	case "16":
		return cim.U16(8)
	}
	return cim.U16(1)
}

func gatherCaches(_ context.Context, p *Provider, _ uint32, _ query, f func(*cacheRow) error) error {
	index := 0
	for _, s := range p.sockets() {
		for _, r := range p.caches(&s) {
			r.index = index
			index++
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// caches are the caches of a package, one row for each level and type. Caches that logical processors share count
// once. See sysfs, /sys/devices/system/cpu/cpu*/cache.
func (p *Provider) caches(s *socket) []*cacheRow {
	var out []*cacheRow
	byKind := map[string]*cacheRow{}
	seen := map[string]bool{}
	for _, c := range s.cpus {
		for i := range 16 {
			dir := fmt.Sprintf("sys/devices/system/cpu/cpu%d/cache/index%d/", c.Number, i)
			level := p.read(dir + "level")
			if level == "" {
				break
			}
			kind := p.read(dir + "type")
			key := level + kind
			shared := key + p.read(dir+"shared_cpu_list")
			size, err := strconv.ParseUint(strings.TrimSuffix(p.read(dir+"size"), "K"), 10, 32)
			if err != nil || seen[shared] {
				continue
			}
			seen[shared] = true
			r := byKind[key]
			if r == nil {
				r = &cacheRow{
					p: p, level: level, kind: kind, ways: p.read(dir + "ways_of_associativity"),
					line: p.read(dir + "coherency_line_size"), policy: p.read(dir + "write_policy"), sets: p.read(dir + "number_of_sets"),
				}
				byKind[key] = r
				out = append(out, r)
			}
			r.kilobytes += size
		}
	}
	return out
}
