package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/cim"
)

// luksRow is one LUKS container. An open one has a device of the device mapper above it.
type luksRow struct {
	device     *blockDevice
	uuid       string
	open       bool
	converting bool
	system     bool // the root file system lies on it
}

const luksCipher uint32 = 1

var encryptableVolumeTable = &table[luksRow]{name: "Win32_EncryptableVolume", gather: gatherLUKS, columns: []column[luksRow]{
	{name: "DeviceID", get: func(r *luksRow) cim.Value { return cim.Str(r.device.path()) }},
	{name: "PersistentVolumeID", get: func(r *luksRow) cim.Value { return strOrNull(r.uuid) }},
	// A container has no key in the clear, open or not.
	{name: "ProtectionStatus", get: fixedValue[luksRow](cim.U32(1))},
	{name: "IsVolumeInitializedForProtection", get: fixedValue[luksRow](cim.Bool(true))},
	{name: "ConversionStatus", get: func(r *luksRow) cim.Value {
		_, out := conversionStatus(r)
		return out.Get("ConversionStatus")
	}},
	{name: "EncryptionMethod", need: luksCipher, get: func(r *luksRow) cim.Value {
		_, out := encryptionMethod(r)
		return out.Get("EncryptionMethod")
	}},
	{name: "VolumeType", get: func(r *luksRow) cim.Value {
		switch {
		case r.system:
			return cim.U32(0)
		case r.device.removable():
			return cim.U32(2)
		}
		return cim.U32(1)
	}},
}}

// luks are the LUKS containers: those that are open, by the ids that cryptsetup gives its devices, and those that udev
// found to be one.
func (p *Provider) luks() []luksRow {
	var out []luksRow
	devices := p.blockDevices()
	below := map[string]bool{} // what the root file system lies on
	root, _ := p.bootDevices()
	if d := p.deviceFile(root); d != nil {
		p.walkBelow(d, func(name string) bool { below[name] = true; return true })
	}
	known, converting := map[string]bool{}, map[string]bool{}
	for _, d := range devices { // the parts of a container that is being encrypted anew: "CRYPT-SUBDEV-UUID-NAME"
		if id, ok := strings.CutPrefix(d.sys("dm/uuid"), "CRYPT-SUBDEV-"); ok {
			id, _, _ = strings.Cut(id, "-")
			converting[id] = true
		}
	}
	for _, d := range devices {
		id, ok := strings.CutPrefix(d.sys("dm/uuid"), "CRYPT-LUKS") // "CRYPT-LUKS2-UUID-NAME"
		if !ok {
			continue
		}
		_, id, _ = strings.Cut(id, "-")
		id, _, _ = strings.Cut(id, "-")
		for _, container := range devices {
			if p.exists("sys/class/block/" + d.name + "/slaves/" + container.name) {
				known[container.name] = true
				out = append(out, luksRow{device: container, system: below[container.name], uuid: dashed(id), open: true, converting: converting[id]})
			}
		}
	}
	for _, d := range devices {
		if known[d.name] {
			continue
		}
		if props := d.udev(); props["ID_FS_TYPE"] == "crypto_LUKS" {
			out = append(out, luksRow{device: d, uuid: props["ID_FS_UUID"]})
		}
	}
	return out
}

// dashed writes 32 hexadecimal digits as a UUID.
func dashed(id string) string {
	if len(id) != 32 {
		return ""
	}
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

func gatherLUKS(_ context.Context, p *Provider, _ uint32, q query, f func(*luksRow) error) error {
	id, one := q.text("DeviceID")
	for _, r := range p.luks() {
		if one && !cim.EqualFold(id, r.device.path()) {
			continue
		}
		if err := f(&r); err != nil {
			return err
		}
	}
	return nil
}

// luksMethod makes a method that tells something of a container.
func luksMethod(tell func(r *luksRow) (uint32, cim.NamedArray)) method {
	return func(ctx context.Context, p *Provider, c *call) (value uint32, out cim.NamedArray, err error) {
		err = &cim.Error{Status: cim.ErrNotFound, Operation: "Invoke", Path: c.path.String()}
		for _, r := range p.luks() {
			if cim.EqualFold(c.key("DeviceID"), r.device.path()) {
				value, out = tell(&r)
				return value, out, ctx.Err()
			}
		}
		return 0, nil, err
	}
}

// lockedVolume is FVE_E_LOCKED_VOLUME: the facts are behind the lock.
const lockedVolume = 0x80310000

// deviceDenied is E_ACCESSDENIED.
const deviceDenied = 0x80070005

func protectionStatus(*luksRow) (uint32, cim.NamedArray) {
	return returnOK, cim.NamedArray{{Name: "ProtectionStatus", Value: cim.U32(1)}} // on
}

func lockStatus(r *luksRow) (uint32, cim.NamedArray) {
	locked := cim.U32(1)
	if r.open {
		locked = cim.U32(0)
	}
	return returnOK, cim.NamedArray{{Name: "LockStatus", Value: locked}}
}

// conversionStatus is that of a container that is open: fully encrypted, unless its key is being changed.
func conversionStatus(r *luksRow) (uint32, cim.NamedArray) {
	if !r.open {
		return lockedVolume, nil
	}
	if r.converting {
		return returnOK, cim.NamedArray{{Name: "ConversionStatus", Value: cim.U32(2)}} // in progress
	}
	return returnOK, cim.NamedArray{
		{Name: "ConversionStatus", Value: cim.U32(1)}, {Name: "EncryptionPercentage", Value: cim.U32(100)},
	}
}

// encryptionMethod reads the header of an open container, which takes the right to read its device.
func encryptionMethod(r *luksRow) (uint32, cim.NamedArray) {
	if !r.open {
		return lockedVolume, nil
	}
	f, err := os.Open(filepath.Join(r.device.p.root, r.device.path()))
	if err != nil {
		return deviceDenied, nil
	}
	defer f.Close()
	h, err := readLUKS(f)
	if err != nil {
		r.device.p.log.Debug("the header of a LUKS container cannot be read", "device", r.device.path(), "error", err)
		return deviceDenied, nil
	}
	n, ok := h.method()
	if !ok {
		return returnOK, nil // an algorithm without a number
	}
	return returnOK, cim.NamedArray{{Name: "EncryptionMethod", Value: cim.U32(n)}}
}
