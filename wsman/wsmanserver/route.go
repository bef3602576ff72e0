package wsmanserver

import (
	"strings"
	"unicode"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/cimxml"
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
	name   string // the one spelling of the URI that security entries are compared with
	cim    wscim.Resource
	plugin string // whose quotas count
}

// pluginWMI is the plug-in that serves CIM.
const pluginWMI = "WMI Provider"

// route tells which family answers to a URI. URIs compare case-blind; an alias
// is no URI. See [MS-WSMV] 3.1.4.1.1.
func (s *Server) route(uri string) (kind, resource) {
	r := resource{uri: strings.ToLower(uri), name: plainName(uri)}
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
		r.plugin, r.name = pluginWMI, plainName(cimxml.ResourceURI)
		return kindMetadata, r
	}
	if c, ok := wscim.ParseURI(uri); ok && s.o.Opener != nil {
		c.Namespace = namespaceOf(c.Namespace)
		r.cim, r.plugin = c, pluginWMI
		r.name = plainName(wscim.ClassURI(c.Namespace, c.Class))
		if c.DMTF {
			r.name = plainName(wscim.DMTFClassURI(c.Class))
		}
		return kindCIM, r
	}
	return kindUnknown, r
}

// plainName is a resource URI without what does not tell resources apart: case,
// also that of the two letters beyond ASCII which fold into it, and slashes at
// the end.
func plainName(uri string) string {
	uri = strings.Map(func(r rune) rune {
		switch r {
		case '\u212A': // the sign of kelvin
			return 'k'
		case '\u017F': // the long s
			return 's'
		}
		return unicode.ToLower(r)
	}, uri)
	return strings.TrimRight(uri, "/")
}

// namespaceOf is a namespace that a client wrote, with backslashes and none at
// its ends.
func namespaceOf(s string) string { return strings.Trim(strings.ReplaceAll(s, "/", `\`), `\`) }
