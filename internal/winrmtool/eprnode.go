package winrmtool

import (
	"bytes"

	"github.com/casementhq/casement/wsman"
)

const (
	uriAddressing = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	uriTransfer   = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
	uriIdentity   = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
	uriFault      = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
)

// eprNode is an endpoint reference as an element of this name.
func eprNode(prefix, local, uri string, e wsman.EPR) *node {
	n := &node{Prefix: prefix, Local: local, Attrs: []attr{{"xmlns", "a", uriAddressing}, {"xmlns", "w", uriWSMan}}}
	if prefix != "a" {
		n.Attrs = append([]attr{{"xmlns", prefix, uri}}, n.Attrs...)
	}
	n.fillEPR(e)
	return n
}

func (n *node) child(prefix, local, value string) *node {
	c := n.add(local)
	c.Prefix, c.Text = prefix, value
	return c
}

func (n *node) fillEPR(e wsman.EPR) {
	n.child("a", "Address", e.Address)
	params := n.child("a", "ReferenceParameters", "")
	params.child("w", "ResourceURI", e.ResourceURI)
	if len(e.Selectors) == 0 {
		return
	}
	set := params.child("w", "SelectorSet", "")
	for _, s := range e.Selectors {
		c := set.child("w", "Selector", s.Value)
		c.Attrs = []attr{{"", "Name", s.Name}}
		if s.EPR != nil {
			c.child("a", "EndpointReference", "").fillEPR(*s.EPR)
		}
	}
}

// createdNode is what a Create prints.
func createdNode(e wsman.EPR) *node { return eprNode("x", "ResourceCreated", uriTransfer, e) }

// identifyNode is what an Identify prints.
func identifyNode(id *wsman.IdentifyResponse) *node {
	n := &node{Prefix: "wsmid", Local: "IdentifyResponse", Attrs: []attr{{"xmlns", "wsmid", uriIdentity}}}
	for _, v := range id.ProtocolVersion {
		n.child("wsmid", "ProtocolVersion", v)
	}
	n.child("wsmid", "ProductVendor", id.ProductVendor)
	n.child("wsmid", "ProductVersion", id.ProductVersion)
	if len(id.SecurityProfiles) > 0 {
		s := n.child("wsmid", "SecurityProfiles", "")
		for _, p := range id.SecurityProfiles {
			s.child("wsmid", "SecurityProfileName", p)
		}
	}
	return n
}

// render is an element in one of the three formats.
func render(n *node, format string) string {
	switch format {
	case "xml":
		var b bytes.Buffer
		n.write(&b, "", "")
		b.WriteByte('\n')
		return b.String()
	case "pretty":
		return n.pretty()
	}
	return n.text()
}
