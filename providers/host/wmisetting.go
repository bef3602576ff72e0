package host

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// WMISetting is how the object manager around the provider is set up. What is empty is unknown.
type WMISetting struct {
	// BuildVersion is the version of the object manager.
	BuildVersion string
	// DatabaseDirectory is the folder of the repository.
	DatabaseDirectory string
	// InstallationDirectory is the folder of the program.
	InstallationDirectory string
	// AutorecoverMOFs are the MOF files that are compiled again when the repository is made anew, in that order.
	AutorecoverMOFs []string
	// EnableEvents says that there are subscriptions.
	EnableEvents bool
}

// wmiSettingTable: logs go to where the service sends them, and queues and heaps have no thresholds of this kind; what
// concerns these stays NULL.
var wmiSettingTable = &table[WMISetting]{name: "Win32_WMISetting", gather: gatherWMISetting, columns: []column[WMISetting]{
	{name: "BuildVersion", get: func(r *WMISetting) cim.Value { return strOrNull(r.BuildVersion) }},
	{name: "DatabaseDirectory", get: func(r *WMISetting) cim.Value { return strOrNull(r.DatabaseDirectory) }},
	{name: "InstallationDirectory", get: func(r *WMISetting) cim.Value { return strOrNull(r.InstallationDirectory) }},
	{name: "AutorecoverMofs", get: func(r *WMISetting) cim.Value { return strsOrNull(r.AutorecoverMOFs) }},
	{name: "EnableEvents", get: func(r *WMISetting) cim.Value { return cim.Bool(r.EnableEvents) }},
}}

func gatherWMISetting(_ context.Context, p *Provider, _ uint32, _ query, f func(*WMISetting) error) error {
	if p.o.WMISetting == nil {
		return nil
	}
	s := p.o.WMISetting()
	return f(&s)
}
