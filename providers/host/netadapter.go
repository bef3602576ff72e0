package host

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// netAdapterTable is the adapter as root\standardcimv2 has it. Addresses are twelve digits without separators there.
var netAdapterTable = &table[adapterRow]{name: "MSFT_NetAdapter", gather: gatherAdapters, columns: []adapterColumn{
	{name: "CreationClassName", get: fixedStr[adapterRow]("MSFT_NetAdapter")},
	{name: "SystemCreationClassName", get: fixedStr[adapterRow]("CIM_NetworkPort")}, // as Windows has it
	adapterText("SystemName", func(r *adapterRow) string { return r.csName }),
	adapterText("DeviceID", func(r *adapterRow) string {
		if id := r.p.interfaceGUID(r.Name); id != "" {
			return id
		}
		return r.Name
	}),
	adapterText("InterfaceGuid", func(r *adapterRow) string { return r.p.interfaceGUID(r.Name) }),
	{name: "InterfaceIndex", get: func(r *adapterRow) cim.Value { return cim.U32(uint32(r.Index)) }},
	adapterText("Name", func(r *adapterRow) string {
		if r.Alias != "" {
			return r.Alias
		}
		return r.Name
	}),
	adapterText("InterfaceName", linkName),
	adapterText("DeviceName", linkName),
	adapterText("InterfaceDescription", func(r *adapterRow) string {
		if name := r.productName(); name != "" {
			return name
		}
		return r.Name
	}),
	{name: "Status", get: func(r *adapterRow) cim.Value {
		if r.connected() {
			return cim.Str("OK")
		}
		return cim.Value{}
	}},
	{name: "StatusInfo", get: func(r *adapterRow) cim.Value {
		if r.Up {
			return cim.U16(3) // enabled
		}
		return cim.U16(4)
	}},
	adapterText("PermanentAddress", func(r *adapterRow) string {
		if r.sys("addr_assign_type") == "0" { // NET_ADDR_PERM
			return digits(macAddress(r))
		}
		return ""
	}),
	{name: "NetworkAddresses", get: func(r *adapterRow) cim.Value {
		if a := macAddress(r); a != "" {
			return cim.Strs([]string{digits(a)})
		}
		return cim.Value{}
	}},
	{name: "Speed", get: (*adapterRow).speed},
	{name: "TransmitLinkSpeed", get: (*adapterRow).speed},
	{name: "ReceiveLinkSpeed", get: (*adapterRow).speed},
	{name: "FullDuplex", get: func(r *adapterRow) cim.Value {
		switch r.sys("duplex") {
		case "full":
			return cim.Bool(true)
		case "half":
			return cim.Bool(false)
		}
		return cim.Value{}
	}},
	{name: "MediaDuplexState", get: func(r *adapterRow) cim.Value {
		switch r.sys("duplex") {
		case "full":
			return cim.U32(2)
		case "half":
			return cim.U32(1)
		}
		return cim.U32(0) // unknown
	}},
	{name: "MtuSize", get: func(r *adapterRow) cim.Value { return cim.U32(uint32(r.MTU)) }},
	{name: "ActiveMaximumTransmissionUnit", get: func(r *adapterRow) cim.Value { return cim.U64(uint64(r.MTU)) }},
	{name: "Virtual", get: func(r *adapterRow) cim.Value { return cim.Bool(r.device() == "") }},
	{name: "HardwareInterface", get: func(r *adapterRow) cim.Value { return cim.Bool(r.device() != "") }},
	{name: "ConnectorPresent", get: func(r *adapterRow) cim.Value { return cim.Bool(r.device() != "") }},
	{name: "Hidden", get: func(r *adapterRow) cim.Value { return cim.Bool(r.Loopback) }},
	{name: "State", get: func(r *adapterRow) cim.Value {
		if r.Up {
			return cim.U32(2) // started
		}
		return cim.U32(3) // disabled
	}},
	{name: "InterfaceAdminStatus", get: func(r *adapterRow) cim.Value {
		if r.Up {
			return cim.U32(1)
		}
		return cim.U32(2)
	}},
	{name: "InterfaceOperationalStatus", get: operationalStatus},
	{name: "MediaConnectState", get: func(r *adapterRow) cim.Value {
		switch {
		case r.connected():
			return cim.U32(1)
		case r.OperState == "unknown":
			return cim.U32(0)
		}
		return cim.U32(2)
	}},
	{name: "OperationalStatusDownMediaDisconnected", get: func(r *adapterRow) cim.Value {
		return cim.Bool(r.Up && (r.OperState == "down" || r.OperState == "lower-layer-down"))
	}},
	{name: "InterfaceType", get: interfaceType},
	{name: "LinkTechnology", get: func(r *adapterRow) cim.Value {
		switch {
		case r.isEthernet():
			return cim.U16(2)
		case r.Type == "ether":
			return cim.U16(11) // wireless LAN
		}
		return cim.Value{}
	}},
	{name: "NdisMedium", get: func(r *adapterRow) cim.Value {
		if r.Type == "ether" {
			return cim.U32(0) // 802.3
		}
		return cim.Value{}
	}},
	{name: "NdisPhysicalMedium", get: func(r *adapterRow) cim.Value {
		switch {
		case r.device() == "":
			return cim.U32(0) // unspecified
		case r.isEthernet():
			return cim.U32(14) // 802.3
		case r.Type == "ether":
			return cim.U32(9) // 802.11
		}
		return cim.Value{}
	}},
	{name: "PromiscuousMode", get: func(r *adapterRow) cim.Value {
		const promiscuous = 0x100 // IFF_PROMISC
		flags, err := strconv.ParseUint(strings.TrimPrefix(r.sys("flags"), "0x"), 16, 32)
		if err != nil {
			return cim.Value{}
		}
		return cim.Bool(flags&promiscuous != 0)
	}},
	{name: "DeviceWakeUpEnable", get: func(r *adapterRow) cim.Value {
		switch r.deviceFile("power/wakeup") {
		case "enabled":
			return cim.Bool(true)
		case "disabled":
			return cim.Bool(false)
		}
		return cim.Value{}
	}},
	adapterText("PNPDeviceID", func(r *adapterRow) string { return r.p.pnpDeviceID(r.device()) }),
	adapterText("DriverName", func(r *adapterRow) string { return r.driver() }),
	adapterText("DriverVersionString", func(r *adapterRow) string {
		if d := r.driver(); d != "" {
			return r.p.read("sys/module/" + strings.ReplaceAll(d, "-", "_") + "/version")
		}
		return ""
	}),
	{name: "LowerLayerInterfaceIndices", get: func(r *adapterRow) cim.Value { return r.stacked("lower_") }},
	{name: "HigherLayerInterfaceIndices", get: func(r *adapterRow) cim.Value { return r.stacked("upper_") }},
}}

func digits(mac string) string { return strings.ReplaceAll(mac, ":", "") }

// connected tells whether packets can pass: the state of RFC 2863, or the carrier where the driver tells no state.
func (r *adapterRow) connected() bool {
	return r.Up && (r.OperState == "up" || r.OperState == "unknown" && r.Running)
}

// operationalStatus is ifOperStatus of RFC 2863.
func operationalStatus(r *adapterRow) cim.Value {
	switch r.OperState {
	case "up":
		return cim.U32(1)
	case "down":
		return cim.U32(2)
	case "testing":
		return cim.U32(3)
	case "dormant":
		return cim.U32(5)
	case "not-present":
		return cim.U32(6)
	case "lower-layer-down":
		return cim.U32(7)
	}
	return cim.U32(4) // unknown
}

// interfaceType is ifType of the registry of IANA.
func interfaceType(r *adapterRow) cim.Value {
	switch r.Type {
	case "ether":
		if r.isEthernet() {
			return cim.U32(6)
		}
		return cim.U32(71) // ieee80211
	case "loopback":
		return cim.U32(24)
	case "ppp":
		return cim.U32(23)
	case "infiniband":
		return cim.U32(199)
	case "ipip", "sit", "gre", "tunnel6":
		return cim.U32(131) // tunnel
	}
	return cim.Value{}
}

// stacked are the indices of the interfaces below or above this one.
func (r *adapterRow) stacked(prefix string) cim.Value {
	entries, err := os.ReadDir(filepath.Join(r.p.root, "sys/class/net", r.Name))
	if err != nil {
		return cim.Value{}
	}
	var out []int
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), prefix); ok {
			if n, err := strconv.Atoi(r.p.read("sys/class/net/" + name + "/ifindex")); err == nil {
				out = append(out, n)
			}
		}
	}
	if out == nil {
		return cim.Value{}
	}
	sort.Ints(out)
	values := make([]cim.Value, len(out))
	for i, n := range out {
		values[i] = cim.U32(uint32(n))
	}
	return cim.Array(cim.Uint32, values)
}
