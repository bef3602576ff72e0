package host

import (
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// less is what of a class a caller without administrators' rights does not see.
type less struct {
	class string
	// hidden tells which instances are left out; nil: none.
	hidden func(i *cim.Instance, caller cim.Caller) bool
	// looks are the properties that hidden looks at.
	looks []string
	// null are the properties that have no value.
	null []string
}

// filteredView is the table of the classes that silently show less to a standard user, and to an administrator whose
// token User Account Control filtered: there is no error, instances are missing and properties are NULL. The page
// "User Account Control and WMI" names the classes (spec/wmi.md 1.4) and neither instances nor properties. Those here
// are, in this order: what Linux itself keeps for root, what concerns other people, and what identifies the hardware
// or what is loaded. Of the page's classes these are the ones that are filled.
var filteredView = []less{
	// Instances. Since Windows 10 the accounts of a machine are listed from afar for its administrators alone
	// ("Restrict clients allowed to make remote calls to SAM"); everybody sees the own one.
	{class: "Win32_UserAccount", hidden: ofOthers, looks: []string{"SID"}},
	// A connection to a printer of another machine is its user's.
	{class: "Win32_Printer", hidden: connectedPrinter, looks: []string{"Network", "Shared"}},

	// Properties: board_serial and the serial numbers of disks are files and devices of root.
	{class: "Win32_BaseBoard", null: []string{"SerialNumber"}},
	{class: "Win32_DiskDrive", null: []string{"SerialNumber", "Signature"}},
	{class: "Win32_LogicalDisk", null: []string{"VolumeSerialNumber"}},
	// The leases are the DHCP client's.
	{class: "Win32_NetworkAdapterConfiguration", null: []string{"DHCPServer", "DHCPLeaseObtained", "DHCPLeaseExpires"}},
	{class: "Win32_NetworkAdapter", null: []string{"PermanentAddress"}},
	// Who sits at the machine.
	{class: "Win32_ComputerSystem", null: []string{"UserName"}},
	// What is loaded, from where, for what.
	{class: "Win32_SystemDriver", null: []string{"PathName"}},
	{class: "Win32_PnPEntity", null: []string{"HardwareID", "CompatibleID"}},
	{class: "Win32_VideoController", null: []string{"InstalledDisplayDrivers", "DriverVersion"}},
}

var filteredByClass = func() map[string]*less {
	m := map[string]*less{}
	for n := range filteredView {
		m[cim.Fold(filteredView[n].class)] = &filteredView[n]
	}
	return m
}()

func ofOthers(i *cim.Instance, caller cim.Caller) bool {
	sid, _ := i.Get("SID").Str()
	return caller.Token == nil || sid != caller.Token.User.String()
}

func connectedPrinter(i *cim.Instance, _ cim.Caller) bool {
	network, _ := i.Get("Network").Bool()
	shared, _ := i.Get("Shared").Bool()
	return network && !shared
}

// filteredFor is the row of a class for a caller, nil for who sees everything: administrators whose token has its
// rights, and the service itself.
func filteredFor(c *cim.Class, caller cim.Caller) *less {
	if caller.Token != nil && (caller.Token.Has(security.SIDAdministrators) || caller.Token.User == security.SIDLocalSystem) {
		return nil
	}
	return filteredByClass[cim.Fold(c.Name)]
}

// apply makes a query and what takes its instances show less. What is not shown is not read.
func (l *less) apply(c *cim.Class, q query, yield func(*cim.Instance) error) (query, func(*cim.Instance) error) {
	wants := q.wants
	q.wants = func(at int) bool {
		name := c.Properties[at].Name
		return !among(l.null, name) && (wants == nil || wants(at) || among(l.looks, name))
	}
	if l.hidden == nil {
		return q, yield
	}
	return q, func(i *cim.Instance) error {
		if l.hidden(i, q.caller) {
			if q.hidden != nil {
				q.hidden()
			}
			return nil
		}
		return yield(i)
	}
}

func among(list []string, name string) bool {
	for _, n := range list {
		if cim.EqualFold(n, name) {
			return true
		}
	}
	return false
}
