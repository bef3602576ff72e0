package wsmanserver

import (
	"strings"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wscim"
)

// kind is the family of a resource.
type kind uint8

const (
	kindUnknown kind = iota
	kindConfig
	kindShell
	kindCIM
	kindMetadata
)

// resource is what a resource URI names.
type resource struct {
	uri    string // lower case
	cim    wscim.Resource
	plugin string // whose quotas count
}

// pluginWMI is the plug-in that serves CIM.
const pluginWMI = "WMI Provider"

// route tells which family answers to a URI. URIs compare case-blind; an alias
// is no URI. See [MS-WSMV] 3.1.4.1.1.
func (s *Server) route(uri string) (kind, resource) {
	r := resource{uri: strings.ToLower(uri)}
	under := func(base string) bool {
		base = strings.ToLower(base)
		return r.uri == base || strings.HasPrefix(r.uri, base+"/")
	}
	switch {
	case under(wsman.ResourceConfig):
		return kindConfig, r
	case under(wsman.ResourceShell):
		return kindShell, r
	case under(wscim.MetadataBase):
		r.plugin = pluginWMI
		return kindMetadata, r
	}
	if c, ok := wscim.ParseURI(uri); ok && s.o.Opener != nil {
		r.cim, r.plugin = c, pluginWMI
		return kindCIM, r
	}
	return kindUnknown, r
}
