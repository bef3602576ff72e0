package host

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// videoRow is a graphics controller: a PCI device of class 3.
type videoRow struct {
	*pnpDevice
	index  int
	screen framebuffer
}

// framebuffer is the picture of the console, where the kernel draws one on the controller.
type framebuffer struct{ width, height, bits uint64 }

type videoColumn = column[videoRow]

func videoText(name string, get func(*videoRow) string) videoColumn {
	return videoColumn{name: name, get: func(r *videoRow) cim.Value { return strOrNull(get(r)) }}
}

func videoNumber(name string, get func(*videoRow) uint64) videoColumn {
	return videoColumn{name: name, get: func(r *videoRow) cim.Value {
		if n := get(r); n > 0 {
			return cim.U32(uint32(n))
		}
		return cim.Value{}
	}}
}

func videoTitle(r *videoRow) string { return r.title() }

var videoTable = &table[videoRow]{name: "Win32_VideoController", gather: gatherVideo, columns: []videoColumn{
	{name: "CreationClassName", get: fixedStr[videoRow]("Win32_VideoController")},
	{name: "SystemCreationClassName", get: fixedStr[videoRow]("Win32_ComputerSystem")},
	videoText("SystemName", func(r *videoRow) string { return r.p.hostName() }),
	{name: "DeviceID", get: func(r *videoRow) cim.Value { return cim.Str("VideoController" + strconv.Itoa(r.index)) }},
	videoText("PNPDeviceID", func(r *videoRow) string { return r.deviceID() }),
	videoText("Name", videoTitle),
	videoText("Caption", videoTitle),
	videoText("Description", videoTitle),
	videoText("VideoProcessor", func(r *videoRow) string { return r.pci.device }),
	videoText("AdapterCompatibility", func(r *videoRow) string { return r.maker() }),
	videoText("InstalledDisplayDrivers", func(r *videoRow) string { return r.driver() }),
	videoText("DriverVersion", func(r *videoRow) string { return r.p.read("sys/module/" + r.module() + "/version") }),
	{name: "AdapterRAM", get: func(r *videoRow) cim.Value {
		// in bytes; a number of 4 GB and more has no place in the property
		return number(cim.Uint32, r.file("mem_info_vram_total"))
	}},
	{name: "VideoArchitecture", get: func(r *videoRow) cim.Value {
		if strings.HasPrefix(r.hex("class", 6), "0300") {
			return cim.U16(5) // VGA
		}
		return cim.Value{}
	}},
	videoNumber("CurrentHorizontalResolution", func(r *videoRow) uint64 { return r.screen.width }),
	videoNumber("CurrentVerticalResolution", func(r *videoRow) uint64 { return r.screen.height }),
	videoNumber("CurrentBitsPerPixel", func(r *videoRow) uint64 { return r.screen.bits }),
	{name: "CurrentNumberOfColors", get: func(r *videoRow) cim.Value {
		if r.screen.bits == 0 || r.screen.bits > 32 {
			return cim.Value{}
		}
		return cim.U64(1 << r.screen.bits)
	}},
	{name: "Availability", get: func(r *videoRow) cim.Value {
		if r.driver() == "" {
			return cim.Value{}
		}
		return cim.U16(3) // running
	}},
	{name: "ConfigManagerErrorCode", get: func(r *videoRow) cim.Value {
		if r.driver() == "" {
			return cim.Value{}
		}
		return cim.U32(0)
	}},
	{name: "Status", get: func(r *videoRow) cim.Value {
		if r.driver() == "" {
			return cim.Value{}
		}
		return cim.Str("OK")
	}},
}}

func gatherVideo(ctx context.Context, p *Provider, _ uint32, _ query, f func(*videoRow) error) error {
	index := 0
	return p.devices(ctx, func(d *pnpDevice) error {
		if !strings.HasPrefix(d.hex("class", 6), "03") {
			return nil
		}
		index++ // they count from 1
		return f(&videoRow{pnpDevice: d, index: index, screen: p.framebuffer(d.name)})
	}, "pci")
}

// framebuffer is that of the PCI device of a name. See Documentation/fb/framebuffer and sysfs, /sys/class/graphics.
func (p *Provider) framebuffer(device string) (out framebuffer) {
	entries, err := os.ReadDir(filepath.Join(p.root, "sys/class/graphics"))
	if err != nil {
		return out
	}
	for _, e := range entries {
		dir := "sys/class/graphics/" + e.Name() + "/"
		target, err := filepath.EvalSymlinks(filepath.Join(p.root, dir, "device"))
		if err != nil || filepath.Base(target) != device {
			continue
		}
		width, height, _ := strings.Cut(p.read(dir+"virtual_size"), ",")
		out.width, _ = strconv.ParseUint(width, 10, 32)
		out.height, _ = strconv.ParseUint(height, 10, 32)
		out.bits, _ = strconv.ParseUint(p.read(dir+"bits_per_pixel"), 10, 8)
		return out
	}
	return out
}
