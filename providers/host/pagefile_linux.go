package host

import (
	"context"
	"math"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// swapRow is a swap file or device in use. Sizes are in kilobytes, as the kernel gives them.
type swapRow struct {
	name       string
	size, used uint64
	file       bool // rather than a device
}

func swapName(r *swapRow) cim.Value { return cim.Str(r.name) }

var pageFileUsageTable = &table[swapRow]{name: "Win32_PageFileUsage", gather: gatherSwaps, columns: []column[swapRow]{
	{name: "Name", get: swapName},
	{name: "Caption", get: swapName},
	{name: "Description", get: swapName},
	{name: "AllocatedBaseSize", get: func(r *swapRow) cim.Value { return megabytes(r.size) }},
	{name: "CurrentUsage", get: func(r *swapRow) cim.Value { return megabytes(r.used) }},
	// a page file that Windows makes because it found none
	{name: "TempPageFile", get: fixedValue[swapRow](cim.Bool(false))},
}}

// megabytes is a number of kilobytes in megabytes.
func megabytes(kb uint64) cim.Value { return cim.U32(uint32(min(kb>>10, math.MaxUint32))) }

func gatherSwaps(_ context.Context, p *Provider, _ uint32, _ query, f func(*swapRow) error) error {
	for i, line := range strings.Split(p.read("proc/swaps"), "\n") {
		fields := strings.Fields(line)
		if i == 0 || len(fields) < 4 { // "Filename Type Size Used Priority"
			continue
		}
		size, err1 := strconv.ParseUint(fields[2], 10, 64)
		used, err2 := strconv.ParseUint(fields[3], 10, 64)
		if err1 != nil || err2 != nil {
			continue
		}
		if err := f(&swapRow{name: unescapeMount(fields[0]), size: size, used: used, file: fields[1] == "file"}); err != nil {
			return err
		}
	}
	return nil
}

// settingRow is a swap file or device that the configuration names.
type settingRow struct {
	p    *Provider
	name string // path of the file or device
}

func settingName(r *settingRow) cim.Value { return cim.Str(r.name) }

var pageFileSettingTable = &table[settingRow]{name: "Win32_PageFileSetting", gather: gatherSwapSettings, columns: []column[settingRow]{
	{name: "Name", get: settingName},
	{name: "Caption", get: settingName},
	{name: "Description", get: settingName},
	{name: "SettingID", get: settingName},
	// Swap does not grow: both sizes are that of the file or device.
	{name: "InitialSize", get: (*settingRow).size},
	{name: "MaximumSize", get: (*settingRow).size},
}}

// size is that of the device, or what the kernel says of a file in use.
func (r *settingRow) size() cim.Value {
	if d := r.p.deviceFile(r.name); d != nil {
		n, ok := d.size()
		if !ok {
			return cim.Value{}
		}
		return megabytes(n >> 10)
	}
	size := cim.Value{}
	_ = gatherSwaps(context.Background(), r.p, 0, query{}, func(s *swapRow) error {
		if s.name == r.name {
			size = megabytes(s.size)
		}
		return nil
	})
	return size
}

// gatherSwapSettings reads fstab(5). A device that is named by its UUID or label gets its path from the links of udev.
func gatherSwapSettings(_ context.Context, p *Provider, _ uint32, _ query, f func(*settingRow) error) error {
	for _, e := range p.fstab() {
		if e.kind != "swap" {
			continue
		}
		if err := f(&settingRow{p: p, name: p.deviceOf(e.source)}); err != nil {
			return err
		}
	}
	return nil
}

// fstabEntry is one line of /etc/fstab.
type fstabEntry struct {
	source, mountPoint, kind string
	options                  []string
}

func (p *Provider) fstab() []fstabEntry {
	var out []fstabEntry
	for line := range strings.Lines(p.read("etc/fstab")) {
		f := strings.Fields(line)
		if len(f) < 3 || strings.HasPrefix(f[0], "#") {
			continue
		}
		e := fstabEntry{source: unescapeMount(f[0]), mountPoint: unescapeMount(f[1]), kind: f[2]}
		if len(f) > 3 {
			e.options = strings.Split(f[3], ",")
		}
		out = append(out, e)
	}
	return out
}

// deviceOf is the device file that a source in fstab(5) means; the source itself where it cannot be found.
func (p *Provider) deviceOf(source string) string {
	kind, name, ok := strings.Cut(source, "=")
	folder := map[string]string{"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}[kind]
	if !ok || folder == "" {
		return source
	}
	name = strings.Trim(name, `"`)
	for device, link := range p.diskLinks(folder) {
		if link == name {
			return device
		}
	}
	return source
}

// unescapeMount undoes the octal escapes of blanks in fstab(5) and /proc/swaps.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
