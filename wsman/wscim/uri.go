package wscim

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// The bases of CIM resource URIs. See [MS-WSMV] 3.1.4.1.1.
const (
	WMIBase  = "http://schemas.microsoft.com/wbem/wsman/1/wmi"
	DMTFBase = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2"
	// AllClasses is the DMTF URI of a query over all classes.
	AllClasses = "http://schemas.dmtf.org/wbem/wscim/1/*"
	// MetadataBase is the base of class metadata in CIM-XML. See [MS-WSMV] 3.1.4.1.38.
	MetadataBase = "http://schemas.dmtf.org/wbem/cim-xml/2/cim-schema/2"

	vendorBase = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/"
	// dmtfNamespace is where a DMTF URI without __cimnamespace leads.
	dmtfNamespace = `root\hardware`
)

// NamespaceSelector is the selector that names the CIM namespace beside a DMTF
// URI.
const NamespaceSelector = "__cimnamespace"

// Resource is what a CIM resource URI names.
type Resource struct {
	Namespace string // with backslashes: root\cimv2
	Class     string // "" where the URI ends in *
	Method    string // only in an action URI
	DMTF      bool   // a DMTF URI: the namespace is a default that a selector may replace
}

// ParseURI reads a WMI or DMTF resource URI. ok is false for every other URI.
func ParseURI(uri string) (r Resource, ok bool) {
	if rest, found := cutPrefixFold(uri, WMIBase); found {
		rest = strings.Trim(rest, "/")
		namespace, class, found := cutLast(rest, "/")
		if !found || namespace == "" || class == "" {
			return Resource{}, false
		}
		if class == "*" {
			class = ""
		}
		return Resource{Namespace: strings.ReplaceAll(namespace, "/", `\`), Class: class}, true
	}
	if strings.EqualFold(uri, AllClasses) {
		return Resource{Namespace: dmtfNamespace, DMTF: true}, true
	}
	if rest, found := cutPrefixFold(uri, vendorBase); found {
		_, class, found := strings.Cut(rest, "/")
		if !found || class == "" || strings.Contains(class, "/") {
			return Resource{}, false
		}
		if class == "*" {
			class = ""
		}
		return Resource{Namespace: dmtfNamespace, Class: class, DMTF: true}, true
	}
	return Resource{}, false
}

// cutPrefixFold cuts prefix case-blind, only where a slash or the end follows.
func cutPrefixFold(s, prefix string) (rest string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	rest = s[len(prefix):]
	if rest != "" && rest[0] != '/' && !strings.HasSuffix(prefix, "/") {
		return s, false
	}
	return rest, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}

// ClassURI is the WMI resource URI of a class; class "" gives the URI of a
// query in that namespace.
func ClassURI(namespace, class string) string {
	if class == "" {
		class = "*"
	}
	return WMIBase + "/" + strings.ReplaceAll(namespace, `\`, "/") + "/" + class
}

// DMTFClassURI is the DMTF resource URI of a class.
func DMTFClassURI(class string) string {
	if class == "" {
		return AllClasses
	}
	return DMTFBase + "/" + class
}

// PathOf is the object path that a class URI and its selectors name. The
// values of keys are text until [TypeKeys] gives them the types of the class.
func PathOf(r Resource, selectors []Selector) cim.ObjectPath {
	p := cim.ObjectPath{Namespace: r.Namespace, Class: r.Class}
	for _, s := range selectors {
		if cim.EqualFold(s.Name, NamespaceSelector) {
			p.Namespace = strings.ReplaceAll(s.Value, "/", `\`)
			continue
		}
		v := cim.Text(s.Value)
		if s.Null {
			v = cim.Null(cim.Untyped)
		}
		p.Keys = append(p.Keys, cim.Key{Name: s.Name, Value: v})
	}
	return p
}

// Selector is one selector of an endpoint reference, text or an endpoint
// reference of its own (then EPR is set and Value its object path).
type Selector struct {
	Name, Value string
	Null        bool
}

// TypeKeys converts the keys of p to the types of class. It fails with
// ErrTypeMismatch, and with ErrInvalidObjectPath for a name that is no key.
func TypeKeys(p cim.ObjectPath, class *cim.Class) (cim.ObjectPath, error) {
	keys := make([]cim.Key, 0, len(p.Keys))
	for _, k := range p.Keys {
		prop := class.Property(k.Name)
		if prop == nil || !prop.Key {
			return p, &cim.Error{Status: cim.ErrInvalidObjectPath, Path: class.Name, Detail: k.Name + " is not a key of the class"}
		}
		v, err := k.Value.As(prop.Type)
		if err != nil {
			return p, err
		}
		keys = append(keys, cim.Key{Name: prop.Name, Value: v})
	}
	p.Keys = keys
	return p, nil
}
