package settings

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/casementhq/casement/registry"
)

// KeyPlugin is the registry key of the plug-ins; each is a key with a value ConfigXML.
const KeyPlugin = KeyWSMAN + `\Plugin`

// NamespacePlugin is the XML namespace of a plug-in's configuration.
const NamespacePlugin = URIConfig + "/PluginConfiguration"

// maxPluginXML bounds the stored configuration of a plug-in, in bytes.
const maxPluginXML = 256 << 10

// Plugin is one winrm/config/plugin, with the names of its XML. The zero value of an
// optional field stands for its default. See [MS-WSMV] 2.2.4.22.
type Plugin struct {
	XMLName               xml.Name      `xml:"PlugInConfiguration"`
	Xmlns                 string        `xml:"xmlns,attr,omitempty"`
	Name                  string        `xml:"Name,attr"`                       // 1 to 2048 bytes, unique without case
	Filename              string        `xml:"Filename,attr"`                   // 1 to 2048 bytes
	SDKVersion            uint32        `xml:"SDKVersion,attr,omitempty"`       // default 1
	XMLRenderingType      string        `xml:"XmlRenderingType,attr,omitempty"` // text (default) or XmlReader
	Architecture          string        `xml:"Architecture,attr,omitempty"`     // 32 or 64; default that of the host
	UseSharedProcess      bool          `xml:"UseSharedProcess,attr,omitempty"` // default false
	AutoRestart           bool          `xml:"AutoRestart,attr,omitempty"`      // default false
	ProcessIdleTimeoutSec uint32        `xml:"ProcessIdleTimeoutSec,attr,omitempty"`
	RunAsUser             string        `xml:"RunAsUser,attr,omitempty"`
	RunAsPassword         string        `xml:"-"`                                  // write-only; the caller keeps it apart from the hive
	OutputBufferingMode   string        `xml:"OutputBufferingMode,attr,omitempty"` // Block (default) or Drop
	Enabled               *bool         `xml:"Enabled,attr,omitempty"`             // default true; has no effect
	Parameters            []PluginParam `xml:"InitializationParameters>Param,omitempty"`
	Resources             []Resource    `xml:"Resources>Resource"`
	Quotas                *PluginQuotas `xml:"Quotas,omitempty"` // nil: DefaultQuotas
	Source                string        `xml:"-"`                // "" or GPO
}

// PluginParam is one InitializationParameters/Param.
type PluginParam struct {
	Name  string `xml:"Name,attr"`
	Value string `xml:"Value,attr"`
}

// Resource is a URI that a plug-in serves. See [MS-WSMV] 2.2.4.28.
type Resource struct {
	ResourceURI     string           `xml:"ResourceUri,attr"`
	SupportsOptions bool             `xml:"SupportsOptions,attr,omitempty"`
	SupportOptions  bool             `xml:"SupportOptions,attr,omitempty"` // the schema's other spelling
	ExactMatch      bool             `xml:"ExactMatch,attr,omitempty"`     // default false: a prefix
	Capabilities    []Capability     `xml:"Capability"`
	Security        []PluginSecurity `xml:"Security,omitempty"`
}

// Capability is an operation of a resource.
type Capability struct {
	Type              string `xml:"Type,attr"`
	SupportsFragment  bool   `xml:"SupportsFragment,attr,omitempty"`  // Get, Put, Create, Delete
	SupportsFiltering bool   `xml:"SupportsFiltering,attr,omitempty"` // Enumerate, Subscribe
}

// PluginSecurity is the security descriptor of a URI that a plug-in serves.
type PluginSecurity struct {
	URI        string `xml:"Uri,attr"`
	SDDL       string `xml:"Sddl,attr"`
	ExactMatch bool   `xml:"ExactMatch,attr,omitempty"`
}

// PluginQuotas bounds a plug-in's use. Times are milliseconds.
type PluginQuotas struct {
	MaxConcurrentUsers             uint32 `xml:"MaxConcurrentUsers,attr,omitempty"`
	MaxConcurrentOperationsPerUser uint32 `xml:"MaxConcurrentOperationsPerUser,attr,omitempty"`
	MaxConcurrentOperations        uint32 `xml:"MaxConcurrentOperations,attr,omitempty"`
	MaxMemoryPerShellMB            uint32 `xml:"MaxMemoryPerShellMB,attr,omitempty"`
	MaxIdleTimeoutms               uint32 `xml:"MaxIdleTimeoutms,attr,omitempty"`
	IdleTimeoutms                  uint32 `xml:"IdleTimeoutms,attr,omitempty"`
	MaxProcessesPerShell           uint32 `xml:"MaxProcessesPerShell,attr,omitempty"`
	MaxConcurrentCommandsPerShell  uint32 `xml:"MaxConcurrentCommandsPerShell,attr,omitempty"`
	MaxShells                      uint32 `xml:"MaxShells,attr,omitempty"`
	MaxShellsPerUser               uint32 `xml:"MaxShellsPerUser,attr,omitempty"`
}

// DefaultQuotas are the quotas of a plug-in that names none.
var DefaultQuotas = PluginQuotas{
	MaxConcurrentUsers: 5, MaxConcurrentOperationsPerUser: 15, MaxConcurrentOperations: 1500,
	MaxMemoryPerShellMB: 1024, MaxIdleTimeoutms: 180000, IdleTimeoutms: 180000, MaxProcessesPerShell: 15,
	MaxConcurrentCommandsPerShell: 15, MaxShells: 25, MaxShellsPerUser: 5,
}

// EffectiveQuotas returns the plug-in's quotas with the defaults filled in.
func (p Plugin) EffectiveQuotas() PluginQuotas {
	q := DefaultQuotas
	if p.Quotas == nil {
		return q
	}
	for _, f := range []struct {
		to   *uint32
		from uint32
	}{
		{&q.MaxConcurrentUsers, p.Quotas.MaxConcurrentUsers},
		{&q.MaxConcurrentOperationsPerUser, p.Quotas.MaxConcurrentOperationsPerUser},
		{&q.MaxConcurrentOperations, p.Quotas.MaxConcurrentOperations},
		{&q.MaxMemoryPerShellMB, p.Quotas.MaxMemoryPerShellMB},
		{&q.MaxIdleTimeoutms, p.Quotas.MaxIdleTimeoutms},
		{&q.IdleTimeoutms, p.Quotas.IdleTimeoutms},
		{&q.MaxProcessesPerShell, p.Quotas.MaxProcessesPerShell},
		{&q.MaxConcurrentCommandsPerShell, p.Quotas.MaxConcurrentCommandsPerShell},
		{&q.MaxShells, p.Quotas.MaxShells},
		{&q.MaxShellsPerUser, p.Quotas.MaxShellsPerUser},
	} {
		if f.from != 0 {
			*f.to = f.from
		}
	}
	return q
}

// Plugins returns the built-in plug-ins and those of the hive; one of the hive replaces
// the built-in one of its name. A damaged one is a Problem with CodePluginCorrupted.
func Plugins(r Reader) ([]Plugin, []Problem) {
	out := BuiltinPlugins()
	var bad []Problem
	for _, name := range r.Keys(KeyPlugin) {
		key := KeyPlugin + `\` + name
		v, src, ok := r.Value(key, "ConfigXML")
		if !ok {
			continue
		}
		text, _ := v.Text()
		p, err := ParsePlugin(text)
		if err == nil && !strings.EqualFold(pluginKeyName(p.Name), name) {
			err = fail(CodePluginCorrupted, "Name", "the name does not fit its key")
		}
		if err != nil {
			prob := problem("Plugin/"+clip(name), key, "ConfigXML", src, "%v", err)
			prob.Err.Code = CodePluginCorrupted
			bad = append(bad, prob)
			continue
		}
		if src == registry.SourceGPO {
			p.Source = "GPO"
		}
		if i := findPlugin(out, p.Name); i >= 0 {
			out[i] = p
		} else {
			out = append(out, p)
		}
	}
	return out, bad
}

func findPlugin(list []Plugin, name string) int {
	return slices.IndexFunc(list, func(p Plugin) bool { return strings.EqualFold(p.Name, name) })
}

// ParsePlugin reads and validates the XML configuration of a plug-in, as the body of a
// Create or Put has it. Unknown elements are ignored. Errors are *Error.
func ParsePlugin(text string) (Plugin, error) {
	var p Plugin
	if len(text) > maxPluginXML {
		return p, fail(CodePluginCorrupted, "ConfigXML", "longer than %d bytes", maxPluginXML)
	}
	if err := xml.Unmarshal([]byte(text), &p); err != nil {
		return p, fail(CodePluginCorrupted, "ConfigXML", "%v", err)
	}
	p.Xmlns = NamespacePlugin
	return p, p.Validate()
}

// XML returns the configuration as an element PlugInConfiguration, without RunAsPassword.
func (p Plugin) XML() (string, error) {
	p.Xmlns, p.XMLName = NamespacePlugin, xml.Name{Local: "PlugInConfiguration"}
	text, err := xml.Marshal(p)
	if err != nil {
		return "", fail(CodePluginCorrupted, "Plugin", "%v", err)
	}
	return string(text), nil
}
