package winrmtool

import (
	"fmt"
	"sort"
	"strings"

	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
)

// newRoot is an element in the namespace of a resource.
func newRoot(local, uri string) *node {
	return &node{Prefix: "p", Local: local, Attrs: []attr{{"xmlns", "p", uri}}}
}

// fill appends the properties as elements.
func (n *node) fill(list []property) {
	for _, p := range list {
		c := n.add(p.Name)
		if p.Null {
			c.setNil(true)
			continue
		}
		c.Text = p.Value
	}
}

// createBody is the representation of a Create: the root element is the last
// segment of the URI, in the URI's own namespace. Configuration resources have
// the element name of their schema. See spec section 1.4.
func createBody(target wsman.EPR, list []property) []byte {
	local := lastSegment(target.ResourceURI)
	switch {
	case wsman.SameResource(target.ResourceURI, settings.URIListener):
		local = "Listener"
	case wsman.SameResource(target.ResourceURI, settings.URICertMapping):
		local = "CertMapping"
	}
	root := newRoot(local, target.ResourceURI)
	root.fill(list)
	return root.xml()
}

// invokeBody is the input of an action, which is sent even without parameters.
func invokeBody(target wsman.EPR, action string, list []property) []byte {
	root := newRoot(lastSegment(action)+"_INPUT", target.ResourceURI)
	root.fill(list)
	return root.xml()
}

// overlay puts the named properties over an instance, which is then what a Put
// sends. Every name must exist; names mind their case. What the service
// computes (ListeningOn, cim:Location) is left out. See spec section 1.4.
func overlay(instance *node, target wsman.EPR, list []property) error {
	for _, p := range list {
		if err := overlayOne(instance, target, p); err != nil {
			return err
		}
	}
	kept := instance.Children[:0]
	for _, c := range instance.Children {
		if !computed(c, target) || named(list, c.Local) {
			kept = append(kept, c)
		}
	}
	instance.Children = kept
	instance.dropSource()
	return nil
}

func named(list []property, name string) bool {
	for _, p := range list {
		if p.Name == name {
			return true
		}
	}
	return false
}

func computed(c *node, target wsman.EPR) bool {
	return c.Local == "ListeningOn" && wsman.SameResource(target.ResourceURI, settings.URIListener) ||
		c.is("http://schemas.dmtf.org/wbem/wscim/1/common", "Location")
}

// dropSource takes the mark of Group Policy away, which is no part of a value.
func (n *node) dropSource() {
	kept := n.Attrs[:0]
	for _, a := range n.Attrs {
		if a.Local != "Source" || a.Prefix == "xmlns" {
			kept = append(kept, a)
		}
	}
	n.Attrs = kept
	for _, c := range n.Children {
		c.dropSource()
	}
}

func overlayOne(instance *node, target wsman.EPR, p property) error {
	var found *node
	kept := instance.Children[:0]
	for _, c := range instance.Children {
		if c.Local == p.Name && found != nil {
			continue // an array is replaced as a whole
		}
		if c.Local == p.Name {
			found = c
		}
		kept = append(kept, c)
	}
	instance.Children = kept
	if found == nil {
		if overlayAttribute(instance, p) {
			return nil
		}
		if !writeOnly(target, p.Name) {
			return unknownProperty(instance, p.Name)
		}
		found = instance.add(p.Name)
	}
	if !found.simple() {
		return fault(codeParameterName, "%s holds other properties; name the resource below it: %s/%s",
			p.Name, target.ResourceURI, strings.ToLower(p.Name))
	}
	found.setNil(p.Null)
	if !p.Null {
		found.Text = p.Value
	}
	return nil
}

// overlayAttribute sets an attribute of the root, which is how plug-ins keep
// their properties.
func overlayAttribute(instance *node, p property) bool {
	for i, a := range instance.Attrs {
		if a.Prefix == "" && a.Local == p.Name && a.Local != "xmlns" && !p.Null {
			instance.Attrs[i].Value = p.Value
			return true
		}
	}
	return false
}

// writeOnly tells a property that a Get never returns.
func writeOnly(target wsman.EPR, name string) bool {
	return name == "Password" && wsman.SameResource(target.ResourceURI, settings.URICertMapping)
}

func unknownProperty(instance *node, name string) error {
	why := fmt.Sprintf("%s has no property %s", instance.Local, clip(name))
	var names []string
	for _, c := range instance.Children {
		if strings.EqualFold(c.Local, name) {
			return fault(codeParameterName, "%s; names mind their case: it is %s", why, c.Local)
		}
		names = append(names, c.Local)
	}
	sort.Strings(names)
	return fault(codeParameterName, "%s; it has %s", why, strings.Join(names, ", "))
}
